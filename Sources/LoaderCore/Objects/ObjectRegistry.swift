import CKernel

/// All images of the program by address, for whoever asks from any thread at any time: unwinders, dladdr,
/// dl_iterate_phdr. Readers take no lock: a change publishes a new table. Old tables and the memory of objects that are
/// gone are given back by a later change that finds no reader.
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
  /// Threads that are about to take hold of a table, and walks that use an objects' memory.
  private let readers: UnsafeMutablePointer<UInt32>
  private let walks: UnsafeMutablePointer<UInt32>
  private var ranges: [AddressRange] = []

  public init() {
    readers = UnsafeMutablePointer<UInt32>.allocate(capacity: 2)
    readers.initialize(repeating: 0, count: 2)
    walks = readers + 1
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
    // Whoever begins to read from here on gets the new table.
    if luci_add32(readers, 0) == 0 { history.removeSubrange(..<(history.count - 1)) }
    unmapWaiting()
  }

  /// Gives memory back that belongs to no object of the current table: at once, or when no walk over an older table can
  /// hand it out any more.
  func unmap(_ range: AddressRange) {
    ranges.append(range)
    unmapWaiting()
  }

  private func unmapWaiting() {
    guard !ranges.isEmpty, luci_add32(walks, 0) == 0 else { return }
    for range in ranges { Mapping.unmap(range.start, range.count) }
    ranges = []
  }

  /// A walk hands addresses of the objects' memory to code that reads it.
  func beginWalk() { _ = luci_add32(walks, 1) }
  func endWalk() { _ = luci_add32(walks, UInt32.max) }

  var current: Table {
    // `history` keeps the table alive until it is retained.
    _ = luci_add32(readers, 1)
    defer { _ = luci_add32(readers, UInt32.max) }
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
