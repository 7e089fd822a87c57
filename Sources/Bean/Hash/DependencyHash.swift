/// Hashes that take in all that an item depends on, over the graph of references.
///
/// Items that depend on each other (recursion, tables of functions that use the table) form a strongly connected
/// component and are hashed together, in an order that does not depend on where they lie (R. Tarjan, "Depth-first
/// search and linear graph algorithms", 1972; with a stack of its own, since call chains can be deep).
public struct DependencyHash {
  /// By index of the item.
  public private(set) var hashes: [UInt64]
  private let table: ItemTable

  private var order: [Int32]
  private var low: [Int32]
  private var isOnStack: [Bool]
  private var stack: [Int32] = []
  private var counter: Int32 = 0

  private struct Frame {
    let item: Int32
    var next: Int
  }

  public init(_ table: ItemTable) {
    self.table = table
    let count = table.items.count
    hashes = [UInt64](repeating: 0, count: count)
    order = [Int32](repeating: -1, count: count)
    low = [Int32](repeating: 0, count: count)
    isOnStack = [Bool](repeating: false, count: count)
    for index in 0..<count where order[index] < 0 { visit(index) }
  }

  private mutating func visit(_ root: Int) {
    var frames = [enter(root)]
    while let frame = frames.last {
      let item = table.items[Int(frame.item)]
      if frame.next < item.end {
        frames[frames.count &- 1].next &+= 1
        let target = table.references[frame.next].target
        guard target.kind == .item else { continue }
        let other = Int(target.index)
        if order[other] < 0 {
          frames.append(enter(other))
        } else if isOnStack[other] {
          low[Int(frame.item)] = min(low[Int(frame.item)], order[other])
        }
        continue
      }
      frames.removeLast()
      let index = Int(frame.item)
      if let parent = frames.last { low[Int(parent.item)] = min(low[Int(parent.item)], low[index]) }
      if low[index] == order[index] { close(index) }
    }
  }

  private mutating func enter(_ index: Int) -> Frame {
    order[index] = counter
    low[index] = counter
    counter &+= 1
    stack.append(Int32(truncatingIfNeeded: index))
    isOnStack[index] = true
    return Frame(item: Int32(truncatingIfNeeded: index), next: table.items[index].first)
  }

  /// Hashes the component whose first item is `root`.
  private mutating func close(_ root: Int) {
    var members: [Int] = []
    while let last = stack.popLast() {
      members.append(Int(last))
      isOnStack[Int(last)] = false
      if Int(last) == root { break }
    }
    if members.count == 1, !refersToItself(root) {
      hashes[root] = combined(root)
      return
    }
    // Members are not hashed yet and count with 0 here.
    var parts: [UInt64] = []
    for member in members { parts.append(combined(member)) }
    parts.sort()
    var whole = CodeHash()
    for part in parts { whole.combine(part) }
    for member in members {
      var hash = whole
      hash.combine(combined(member))
      // Set apart: others of the component must still see 0.
      parts.append(hash.value)
    }
    for (step, member) in members.enumerated() { hashes[member] = parts[members.count &+ step] }
  }

  private func refersToItself(_ index: Int) -> Bool {
    let item = table.items[index]
    return table.references[item.first..<item.end].contains {
      $0.target.kind == .item && Int($0.target.index) == index
    }
  }

  /// Own hashes and those of what was hashed before.
  private func combined(_ index: Int) -> UInt64 {
    let item = table.items[index]
    var hash = CodeHash()
    hash.combine(item.internalHash)
    hash.combine(item.externalHash)
    for reference in table.references[item.first..<item.end] where reference.target.kind == .item {
      hash.combine(hashes[Int(reference.target.index)])
    }
    return hash.value
  }
}
