import CKernel

/// All images of the program by address, for whoever asks from any thread at any time: unwinders, dladdr,
/// dl_iterate_phdr. Readers take no lock: a change publishes a new table, and old ones stay (changes are few).
public final class ObjectRegistry {
  final class Table {
    /// By start address, ascending.
    let byAddress: [LoadedObject]
    /// In load order.
    let inOrder: [LoadedObject]
    let additions: UInt64
    let removals: UInt64

    init(_ objects: [LoadedObject], additions: UInt64, removals: UInt64) {
      inOrder = objects
      byAddress = objects.sorted { $0.memoryRange.start < $1.memoryRange.start }
      self.additions = additions
      self.removals = removals
    }
  }

  private let slot: UnsafeMutablePointer<UInt64>
  private var history: [Table] = []

  public init() {
    slot = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    let empty = Table([], additions: 0, removals: 0)
    history.append(empty)
    slot.initialize(to: UInt64(UInt(bitPattern: Unmanaged.passUnretained(empty).toOpaque())))
  }

  /// Publishes `objects`; only under the program's lock.
  public func publish(_ objects: [LoadedObject]) {
    let previous = current
    let added = max(objects.count - previous.inOrder.count, 0)
    let table = Table(
      objects, additions: previous.additions + UInt64(added),
      removals: previous.removals + UInt64(max(previous.inOrder.count - objects.count, 0)))
    history.append(table)
    luci_store_release(slot, UInt64(UInt(bitPattern: Unmanaged.passUnretained(table).toOpaque())))
  }

  var current: Table {
    // `history` keeps every table alive.
    let address = UInt(luci_load_acquire(slot))
    return Unmanaged<Table>.fromOpaque(UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped)
      .takeUnretainedValue()
  }

  public var objects: [LoadedObject] { current.inOrder }

  /// The image that `address` lies in.
  public func object(containing address: UInt64) -> LoadedObject? {
    let table = current.byAddress
    var low = 0
    var high = table.count
    while low < high {
      let middle = (low + high) / 2
      if table[middle].memoryRange.start <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0, table[low - 1].contains(address) else { return nil }
    return table[low - 1]
  }
}
