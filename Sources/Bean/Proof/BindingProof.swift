import CKernel

/// The proof that every reference of the new version's code to state is known, so that binding can redirect all of
/// them: what decoding found, and an independent look at every byte that decoding might have missed.
struct BindingProof {
  let comparison: Comparison
  let new: Binary
  /// Every decoded reference to state.
  private(set) var patches: [Patch] = []
  /// Places whose four bytes would reach state if they were a displacement.
  private(set) var candidates = 0
  /// Those of them that are known to be a reference, or known to be something else.
  private(set) var explained = 0
  var unwindWords: [UInt64] = []

  init(_ comparison: Comparison) {
    self.comparison = comparison
    new = comparison.new
  }

  mutating func prove() {
    collectReferences()
    checkWideImmediates()
    for load in new.file.segments.loads where load.isExecutable { scan(load) }
    sortPatches()
    scanConstants()
  }

  /// By address, each field once: decoding and the old version may both have found it.
  private mutating func sortPatches() {
    patches.sort { $0.fieldAddress < $1.fieldAddress }
    var unique: [Patch] = []
    unique.reserveCapacity(patches.count)
    for patch in patches where unique.last?.fieldAddress != patch.fieldAddress { unique.append(patch) }
    patches = unique
  }

  // MARK: - Decoded references

  private mutating func collectReferences() {
    let writable = BindingProof.writable(new.file.segments)
    for index in new.code.functions.indices {
      let function = new.code.functions[index]
      // They compare an address with itself, whichever it is.
      if comparison.isByVariable, new.registersNoClones(function) { continue }
      for position in function.first..<function.end {
        let reference = new.code.references[position]
        if new.isStateReference(reference.target) {
          if comparison.refuted.contains(reference.field) { continue }
          take(reference, position, index)
        } else if isDoubtful(reference, writable) {
          refuse(at: reference.field, reaching: reference.target)
        }
      }
    }
  }

  private mutating func take(_ reference: CodeReference, _ position: Int, _ index: Int) {
    // Code that nothing in the file calls code is believed only if both versions agree on it.
    let isTrusted = new.code.functions[index].source != .gap || comparison.matches.isEqual[index]
    guard isTrusted, reference.size == 4 else { return refuse(at: reference.field, reaching: reference.target) }
    let place = counterpart(of: position, index)
    switch home(of: reference, place?.target) {
    case .at(let home):
      patches.append(
        Patch(
          fieldAddress: reference.field, instructionEnd: reference.instructionEnd, newTarget: reference.target,
          oldTarget: home, oldField: place?.field ?? 0, isAddress: reference.kind == .address))
    case .own: break
    case .ambiguous where comparison.isByVariable && isStart(reference, index):
      guard case .at(let home) = comparison.mapping.home(for: reference.target, isAddress: false) else { break }
      patches.append(
        Patch(
          fieldAddress: reference.field, instructionEnd: reference.instructionEnd, newTarget: reference.target,
          oldTarget: home))
    case .none, .ambiguous: refuse(at: reference.field, reaching: reference.target)
    }
  }

  /// In a function that is the same, the old version says itself what is meant, also at the border of two sections.
  private func home(of reference: CodeReference, _ before: UInt64?) -> StateMapping.Home {
    let isAddress = reference.kind == .address
    if let before {
      if let own = comparison.mapping.piece(containing: reference.target), own.kind == .content,
        own.old &+ (reference.target &- own.new.start) == before
      {
        return .own
      }
      if comparison.mapping.agrees(new: reference.target, old: before, isAddress: isAddress) { return .at(before) }
    }
    return comparison.mapping.home(for: reference.target, isAddress: isAddress)
  }

  /// An address that code takes between two variables: of the one that starts there, since the function accesses it
  /// there, or has nothing to do with the one that ends there?
  private func isStart(_ reference: CodeReference, _ index: Int) -> Bool {
    guard let tail = comparison.mapping.tail(before: reference.target) else { return true }
    let function = new.code.functions[index]
    let touched = AddressRange(start: tail, end: reference.target)
    if !new.code.references[function.first..<function.end].contains(where: { touched.contains($0.target) }) {
      return true
    }
    return new.accessesAtOnce(reference, in: function)
  }

  /// The same reference of the same function in the old version.
  private func counterpart(of position: Int, _ index: Int) -> CodeReference? {
    guard comparison.matches.isEqual[index], new.code.references[position].kind != .branch else { return nil }
    let before = comparison.old.code.functions[Int(comparison.matches.oldOfNew[index])]
    return comparison.old.code.references[before.first &+ (position &- new.code.functions[index].first)]
  }

  /// An address in writable memory that belongs to nothing, or in the GOT where no slot is that code takes the
  /// address of: it may be derived from a variable (an array's element far outside).
  private func isDoubtful(_ reference: CodeReference, _ writable: AddressRange) -> Bool {
    guard writable.contains(reference.target) else { return false }
    switch new.regions.kind(of: reference.target) {
    case .none: return true
    case .got where reference.kind == .address:
      guard let entry = new.relocations.entry(at: reference.target) else {
        return !new.regions.regions.contains { $0.kind == .got && $0.range.start == reference.target }
      }
      return entry.type != UInt32(R_X86_64_DTPMOD64) && entry.type != UInt32(R_X86_64_TLSDESC)
    default: return false
    }
  }

  /// From the first writable segment on, and as far behind the last one as a biased address may reach.
  private static func writable(_ segments: Segments) -> AddressRange {
    guard let first = segments.loads.first(where: { $0.isWritable }),
      let last = segments.loads.last(where: { $0.isWritable })
    else { return AddressRange(start: 0, end: 0) }
    return AddressRange(start: first.address, end: last.end &+ 16 &* Segments.pageSize)
  }

  func refuse(at address: UInt64, reaching target: UInt64) {
    comparison.refuse(
      Refusal(.bindingUnproved, function: new.place(at: address), new: new.place(at: target)))
  }

  // MARK: - The medium and large code model

  /// There, code adds a 64-bit distance to the address of the GOT: to a variable's place, or to its own.
  private func checkWideImmediates() {
    let tables = new.regions.regions.filter { $0.kind == .got }
    for immediate in new.code.wideImmediates {
      for table in tables {
        let start = table.range.start
        let target = start &+ immediate.value
        let isDistanceToState = new.state.areaTouching(target) != nil
        let isDistanceToTable = immediate.address &+ immediate.value &- (start &- 32) <= 64
        guard isDistanceToState || isDistanceToTable else { continue }
        comparison.refuse(
          Refusal(.largeModel, function: new.place(at: immediate.address), new: new.place(at: target)))
        return
      }
    }
  }

  // MARK: - The independent look

  /// Instructions end this many bytes behind the displacement: no immediate, or one of 1, 2, 4, 8 bytes.
  private static var trailing: InlineArray<5, UInt64> { [0, 1, 2, 4, 8] }

  private mutating func scan(_ load: LoadSegment) {
    guard let bytes = new.file.image.bytes(from: load.address), !new.state.areas.isEmpty else { return }
    let span = new.state.span
    // One subtraction and one comparison for each byte: the displacement's target for an instruction that ends with
    // it, against the span widened by the largest immediate.
    bytes.forEachDisplacement(at: load.address, reaching: span.start &- 8, count: span.count &+ 8) {
      (field, end) in examine(field, end)
    }
  }

  private mutating func examine(_ field: UInt64, _ target: UInt64) {
    // An executable segment may hold constants as well, when the linker does not separate code.
    switch new.regions.kind(of: field) {
    case .code: break
    case .none where !new.isInHeaders(field) && !new.isFill(field): break
    default: return
    }
    let isKnown = isDecoded(field)
    for index in 0..<5 {
      let reached = target &+ BindingProof.trailing[index]
      guard new.state.areaTouching(reached) != nil else { continue }
      candidates += 1
      guard isKnown || isSettled(field, target, reached) else { return refuse(at: field, reaching: reached) }
      explained += 1
    }
  }

  /// Bytes that do not decode as a whole, as where assembly has tables beside its code: the old version may tell.
  private mutating func isSettled(_ field: UInt64, _ target: UInt64, _ reached: UInt64) -> Bool {
    switch testimony(field, reached) {
    case .none: return false
    case .refuted: return true
    case .confirmed(let home):
      // Where the instruction ends does not matter: the displacement changes by the distance to the home.
      if let piece = comparison.mapping.piece(containing: reached), piece.kind != .shared { return true }
      patches.append(
        Patch(
          fieldAddress: field, instructionEnd: field &+ 4 &+ (reached &- target), newTarget: reached, oldTarget: home)
      )
      return true
    }
  }

  /// Every byte of a decoded function is part of an instruction: what is no reference there is something else.
  private func isDecoded(_ address: UInt64) -> Bool {
    if let index = new.code.index(containing: address) { return new.code.functions[index].isDecoded }
    return new.isPadding(address)
  }
}

extension Bytes {
  /// Calls `body(address, target)` for every position whose four bytes, taken as a displacement from their own end,
  /// reach [start, start + count]. The bytes lie at `address`.
  @inline(__always)
  func forEachDisplacement(
    at address: UInt64, reaching start: UInt64, count reach: UInt64, _ body: (UInt64, UInt64) -> Void
  ) {
    withUnsafeBytes { (raw) in
      guard raw.count >= 4 else { return }
      let last = raw.count &- 4
      var position = 0
      // Sixteen at a time, by the lower half of the distance: hardly any lies near.
      let distances = Displacements(from: address &+ 4 &- start, limit: reach)
      while position <= last {
        if position &+ 15 <= last, distances.areFar(raw, position) {
          position &+= 16
          continue
        }
        let end = min(position &+ 15, last)
        while position <= end {
          let displacement = raw.loadUnaligned(fromByteOffset: position, as: Int32.self)
          let field = address &+ UInt64(truncatingIfNeeded: position)
          let target = field &+ 4 &+ UInt64(bitPattern: Int64(displacement))
          if target &- start <= reach { body(field, target) }
          position &+= 1
        }
      }
    }
  }
}

/// Words of code as displacements, sixteen positions at a time.
private struct Displacements {
  private let base: UInt32
  private let limit: SIMD4<UInt32>

  /// `base`: what a displacement of zero at position 0 comes to; `limit`: more is far.
  init(from base: UInt64, limit: UInt64) {
    self.base = UInt32(truncatingIfNeeded: base)
    self.limit = SIMD4(repeating: UInt32(min(limit, UInt64(UInt32.max))))
  }

  /// None of those at `position` and the next 15, which all have four bytes, is near.
  @inline(__always)
  func areFar(_ raw: UnsafeRawBufferPointer, _ position: Int) -> Bool {
    let first = SIMD4(repeating: base &+ UInt32(truncatingIfNeeded: position)) &+ SIMD4<UInt32>(0, 4, 8, 12)
    let isNear =
      isNear(raw, position, first, 0) .| isNear(raw, position, first, 1) .| isNear(raw, position, first, 2)
      .| isNear(raw, position, first, 3)
    let halves = unsafeBitCast(isNear, to: SIMD2<UInt64>.self)
    return halves[0] | halves[1] == 0
  }

  @inline(__always)
  private func isNear(
    _ raw: UnsafeRawBufferPointer, _ position: Int, _ first: SIMD4<UInt32>, _ offset: Int
  ) -> SIMDMask<SIMD4<Int32>> {
    let words = raw.loadUnaligned(fromByteOffset: position &+ offset, as: SIMD4<UInt32>.self)
    return words &+ first &+ SIMD4(repeating: UInt32(offset)) .<= limit
  }
}

extension Binary {
  /// Zeros from `address`, which is in no section, up to the next one.
  func isFill(_ address: UInt64) -> Bool {
    guard let next = regions.regions.first(where: { $0.range.start > address })?.range.start,
      next &- address < 64, let bytes = file.image.bytes(at: address, count: next &- address)
    else { return false }
    for index in 0..<bytes.count where bytes[index] != 0 { return false }
    return true
  }

  /// Is it the ELF header or a program header? They lie in an executable segment where that is the first one.
  func isInHeaders(_ address: UInt64) -> Bool {
    guard let load = file.segments.loads.first, load.fileOffset == 0, load.contains(address) else { return false }
    let offset = address &- load.address
    let table = offset &- file.header.programHeaderOffset
    return offset < 64 || table < UInt64(file.header.programHeaderCount) &* 56
  }

  /// Bytes between functions that are known to be no code that matters.
  func isPadding(_ address: UInt64) -> Bool {
    var low = 0
    var high = map.padding.count
    while low < high {
      let middle = (low + high) / 2
      if map.padding[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    return low < map.padding.count && map.padding[low].contains(address)
  }
}
