/// What became of an item.
public struct ItemChange {
  public enum Kind: UInt8, Equatable, Sendable {
    case added, removed
    /// Its own bytes.
    case content
    /// The same bytes, but it refers to something else.
    case references
    /// A variable of another size.
    case size
    /// A variable at another place of its section.
    case moved
    case equal

    public var word: StaticString {
      switch self {
      case .added: "added"
      case .removed: "removed"
      case .content: "changed"
      case .references: "refers-elsewhere"
      case .size: "resized"
      case .moved: "moved"
      case .equal: "equal"
      }
    }
  }

  public let kind: Kind
  /// In the tables; nil on the side that does not have it.
  public let old: Int?
  public let new: Int?
  /// Index of the first reference that leads elsewhere, counted from the first of its item.
  public let reference: Int?
}

/// Two versions item by item.
public struct ItemComparison {
  public let old: ItemTable
  public let new: ItemTable
  public let pairs: ItemPairs
  /// Of how many kinds of items references may lead elsewhere: 0 none, 1 constants, 2 all data, 3 code as well.
  public let relaxation: Int

  public init(_ old: ItemTable, _ new: ItemTable, relaxation: Int = 0) {
    self.old = old
    self.new = new
    self.relaxation = relaxation
    pairs = ItemPairs(old, new)
  }

  /// Of every item, in the order of the new version; then what is gone.
  public func changes() -> [ItemChange] {
    var found: [ItemChange] = []
    for index in new.items.indices where !isFill(new, index) {
      guard pairs.oldOfNew[index] >= 0 else {
        found.append(ItemChange(kind: .added, old: nil, new: index, reference: nil))
        continue
      }
      found.append(change(Int(pairs.oldOfNew[index]), index))
    }
    for index in old.items.indices where pairs.newOfOld[index] < 0 && !isFill(old, index) {
      found.append(ItemChange(kind: .removed, old: index, new: nil, reference: nil))
    }
    return found
  }

  /// Zeros that nothing names or refers to, less than a usual alignment: fill between objects is no news.
  private func isFill(_ table: ItemTable, _ index: Int) -> Bool {
    let item = table.items[index]
    return !item.isKnown && item.range.count < 64 && item.first == item.end && table.content(of: item).count == 0
  }

  private func change(_ a: Int, _ b: Int) -> ItemChange {
    let (left, right) = (old.items[a], new.items[b])
    var kind = ItemChange.Kind.equal
    var reference: Int?
    if left.kind.isVariable, isResized(left, right) {
      kind = .size
    } else if !isSameContent(left, right) {
      kind = .content
    } else {
      if !isRelaxed(right.kind) { reference = firstOtherReference(left, right) }
      if reference != nil {
        kind = .references
      } else if left.kind.isVariable, offset(old, left) != offset(new, right) {
        kind = .moved
      }
    }
    return ItemChange(kind: kind, old: a, new: b, reference: reference)
  }

  /// What has no symbol reaches to the next one, fill included.
  private func isResized(_ left: Item, _ right: Item) -> Bool {
    let (a, b) = (left.range.count, right.range.count)
    if a == b { return false }
    return left.name.count != 0 && right.name.count != 0 || max(a, b) &- min(a, b) >= 32
      || old.content(of: left).count > Int(clamping: b) || new.content(of: right).count > Int(clamping: a)
  }

  private func isRelaxed(_ kind: Item.Kind) -> Bool {
    switch kind {
    case .function, .codeData: return relaxation >= 3
    case .variable, .threadVariable: return relaxation >= 2
    default: return relaxation >= 1
    }
  }

  private func offset(_ table: ItemTable, _ item: Item) -> UInt64 {
    guard item.region >= 0 else { return item.range.start }
    return item.range.start &- table.binary.regions.regions[Int(item.region)].range.start
  }

  /// Equal but for fields that depend on the place. Hashes can be made to collide; bytes can't.
  func isSameContent(_ left: Item, _ right: Item) -> Bool {
    if left.internalHash == right.internalHash, new.options.rebuilds { return true }
    let (a, b) = (old.content(of: left), new.content(of: right))
    guard a.count == b.count, left.end &- left.first == right.end &- right.first else { return false }
    var compared: UInt64 = 0
    for step in 0..<(left.end &- left.first) {
      let (x, y) = (old.references[left.first &+ step], new.references[right.first &+ step])
      let position = x.field &- left.range.start
      guard position == y.field &- right.range.start, x.size == y.size else { return false }
      guard position >= compared else { continue }
      guard position <= UInt64(a.count), let head = a.slice(at: compared, count: position &- compared),
        head == b.slice(at: compared, count: position &- compared)
      else { return false }
      compared = min(position &+ UInt64(x.size), UInt64(a.count))
    }
    return a.suffix(from: compared) == b.suffix(from: compared)
  }

  private func firstOtherReference(_ left: Item, _ right: Item) -> Int? {
    let count = min(left.end &- left.first, right.end &- right.first)
    for step in 0..<count {
      let (x, y) = (old.references[left.first &+ step], new.references[right.first &+ step])
      if isSame(x.target, y.target) || isSameEnd(x, y, left, right) { continue }
      // The cases of a function that changed; which is told of the function.
      if x.kind == .tableWord, y.kind == .tableWord, isChangedCode(x.target, y.target) { continue }
      return step
    }
    return left.end &- left.first == right.end &- right.first ? nil : count
  }

  private func isChangedCode(_ a: ItemTarget, _ b: ItemTarget) -> Bool {
    guard a.kind == .item, b.kind == .item, Int(pairs.newOfOld[Int(a.index)]) == Int(b.index) else { return false }
    return !isSameContent(old.items[Int(a.index)], new.items[Int(b.index)])
  }

  /// The address behind an array, which is that of whatever lies there: code that takes it refers to the array, too.
  private func isSameEnd(_ x: ItemReference, _ y: ItemReference, _ left: Item, _ right: Item) -> Bool {
    guard x.kind == .address || x.kind == .pointer, let a = itemBefore(x.target, old),
      let b = itemBefore(y.target, new),
      Int(pairs.newOfOld[a]) == b
    else { return false }
    return refers(left, to: a, old) && refers(right, to: b, new)
  }

  private func itemBefore(_ target: ItemTarget, _ table: ItemTable) -> Int? {
    guard target.kind == .item, target.offset == 0, target.index > 0 else { return nil }
    let index = Int(target.index) &- 1
    return table.items[index].range.end == table.items[index &+ 1].range.start ? index : nil
  }

  private func refers(_ item: Item, to index: Int, _ table: ItemTable) -> Bool {
    table.references[item.first..<item.end].contains { $0.target.kind == .item && Int($0.target.index) == index }
  }

  /// Do two targets mean the same?
  public func isSame(_ a: ItemTarget, _ b: ItemTarget) -> Bool {
    guard a.kind == b.kind else { return false }
    switch a.kind {
    case .item:
      guard a.offset == b.offset else { return isSameText(a, b) }
      if Int(pairs.newOfOld[Int(a.index)]) == Int(b.index) { return true }
      // A constant that a linker merged with an equal one in one version only.
      let (left, right) = (old.items[Int(a.index)], new.items[Int(b.index)])
      return left.kind.isConstant && right.kind.isConstant && isSameContent(left, right)
        && left.externalHash == right.externalHash || isSameText(a, b)
    case .symbol:
      let (left, right) = (old.binary.symbols.entries[Int(a.index)], new.binary.symbols.entries[Int(b.index)])
      return a.offset == b.offset && left.hash == right.hash && left.name == right.name
        && left.version == right.version
    case .region:
      let (left, right) = (old.binary.regions.regions[Int(a.index)], new.binary.regions.regions[Int(b.index)])
      return left.name == right.name && (left.kind == .code || a.offset == b.offset)
    case .module, .nowhere: return true
    }
  }

  /// A string is the same wherever it stands: linkers let tails of others serve.
  private func isSameText(_ a: ItemTarget, _ b: ItemTarget) -> Bool {
    let (left, right) = (old.items[Int(a.index)], new.items[Int(b.index)])
    guard left.kind == .constant, right.kind == .constant,
      let x = old.binary.file.image.bytes(from: left.range.start &+ a.offset)?.cString(at: 0, limit: 1024),
      let y = new.binary.file.image.bytes(from: right.range.start &+ b.offset)?.cString(at: 0, limit: 1024)
    else { return false }
    return x.count > 0 && x == y
  }
}
