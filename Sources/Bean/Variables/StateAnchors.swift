import CKernel

/// Every address in the state sections of a version that anything refers to, with what is known of its use. What
/// lies between two of them belongs to one variable, or is padding.
struct StateAnchors {
  struct Anchor {
    var address: UInt64
    /// Something takes the address: code, a relocation, another object through a symbol. Then accesses through
    /// pointers are not seen here.
    var isTaken = false
    /// A word of data holds the address.
    var isPointedTo = false
    var mayBeWritten = false
    /// Other objects may use it by name.
    var isExported = false
    /// The widest direct access, in bytes; 0 without one.
    var width: UInt64 = 0
    /// By a symbol; 0: not known.
    var size: UInt64 = 0
    /// References from code.
    var uses = 0
    /// All of them are in functions that the other version has as well.
    var hasOnlyEqualUsers = true

    init(_ address: UInt64) { self.address = address }

    fileprivate mutating func merge(_ other: Anchor) {
      isTaken = isTaken || other.isTaken
      mayBeWritten = mayBeWritten || other.mayBeWritten
      isPointedTo = isPointedTo || other.isPointedTo
      isExported = isExported || other.isExported
      width = max(width, other.width)
      size = max(size, other.size)
      uses += other.uses
      hasOnlyEqualUsers = hasOnlyEqualUsers && other.hasOnlyEqualUsers
    }

    /// Only direct accesses: it is no larger than the widest of them.
    var isScalar: Bool { !isTaken && width != 0 }
    var isOnlyRead: Bool { isScalar && !mayBeWritten && !isExported }
  }

  /// Sorted by address, each once.
  private(set) var all: [Anchor] = []
  private let binary: Binary

  /// `isEqual`: by function.
  init(_ binary: Binary, isEqual: [Bool]) {
    self.binary = binary
    for index in binary.code.functions.indices {
      addReferences(of: binary.code.functions[index], isEqual: index < isEqual.count && isEqual[index])
    }
    addRelocations()
    addNames()
    all.sort { $0.address < $1.address }
    var merged: [Anchor] = []
    merged.reserveCapacity(all.count)
    for anchor in all {
      if let last = merged.last, last.address == anchor.address {
        merged[merged.count - 1].merge(anchor)
      } else {
        merged.append(anchor)
      }
    }
    all = merged
  }

  private mutating func addReferences(of function: CodeTable.Function, isEqual: Bool) {
    binary.forEachStateAccess(of: function) { (reference, access) in
      var anchor = Anchor(reference.target)
      anchor.uses = 1
      anchor.hasOnlyEqualUsers = isEqual
      if reference.kind == .address {
        anchor.isTaken = true
      } else {
        anchor.width = access.width
        anchor.mayBeWritten = access.mayWrite
      }
      all.append(anchor)
    }
  }

  /// Words that hold a state address: pointers in data, and GOT slots.
  private mutating func addRelocations() {
    for entry in binary.relocations.entries {
      // A word that points to itself, as __dso_handle does, is a name for the object: nobody goes through it.
      guard let target = binary.stateTarget(of: entry), target != entry.address else { continue }
      var anchor = Anchor(target)
      anchor.isTaken = true
      anchor.isPointedTo = true
      all.append(anchor)
    }
  }

  private mutating func addNames() {
    for name in binary.symbols.named where !name.isFunction && binary.isInState(name.start) {
      var anchor = Anchor(name.start)
      anchor.size = name.size
      if !name.isLocal {
        anchor.isExported = true
        anchor.isTaken = true
      }
      all.append(anchor)
    }
  }

  /// Index of the anchor at exactly `address`.
  func index(of address: UInt64) -> Int? {
    let index = lowerBound(address)
    return index < all.count && all[index].address == address ? index : nil
  }

  /// Index of the first anchor at or behind `address`.
  func lowerBound(_ address: UInt64) -> Int {
    var low = 0
    var high = all.count
    while low < high {
      let middle = (low + high) / 2
      if all[middle].address < address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Where the next anchor is, or the section's end.
  func end(of index: Int) -> UInt64 {
    let address = all[index].address
    let area = binary.regions.region(containing: address)?.range.end ?? address
    return index + 1 < all.count ? min(all[index + 1].address, area) : area
  }

  /// Bytes up to there.
  func extent(of index: Int) -> UInt64 { end(of: index) &- all[index].address }

  /// No more than so many bytes are used of what starts here.
  func bound(of index: Int) -> UInt64 {
    let anchor = all[index]
    let extent = extent(of: index)
    if anchor.size != 0 { return min(anchor.size, extent) }
    return anchor.isScalar ? min(anchor.width, extent) : extent
  }
}

extension Binary {
  /// The address in state that a relocated word holds.
  func stateTarget(of entry: RelocationIndex.Entry) -> UInt64? {
    let target: UInt64
    if let symbol = symbols.symbol(of: entry) {
      guard !symbol.symbol.isUndefined, !symbol.symbol.isTLS, entry.type != UInt32(R_X86_64_TPOFF64),
        entry.type != UInt32(R_X86_64_DTPOFF64)
      else { return nil }
      target = symbol.symbol.value &+ UInt64(bitPattern: entry.addend)
    } else {
      guard entry.type == UInt32(R_X86_64_RELATIVE) else { return nil }
      target = UInt64(bitPattern: entry.addend)
    }
    return isInState(target) ? target : nil
  }
}
