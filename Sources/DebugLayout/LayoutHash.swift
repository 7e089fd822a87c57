import CElfutils

/// A hash over the layout of all types that are reachable from an object's variables and from the functions that
/// others can call. Two builds with the same hash can share what they have on the heap.
public struct LayoutHash {
  /// Each type with its layout, by name; sorted.
  public let types: [(name: String, layout: String)]
  /// 64 hexadecimal digits: SHA-256 of these lines.
  public let text: String

  /// `path` is a file with debug information. Throws `DebugError` where it has none, or where a part of it is in
  /// another file that `findAlternate` (name, build-id) does not find.
  public init(_ path: String, findAlternate: (String, [UInt8]) -> String?) throws {
    let information = try DebugInformation(path, findAlternate: findAlternate)
    let layout = TypeLayout()
    let units = information.units()
    for unit in units { layout.collect(unit) }
    let exported = information.globalFunctions()
    var roots = 0
    for unit in units { LayoutHash.addRoots(unit, layout, exported, &roots) }
    guard roots > 0 else { throw DebugError("\(path): no debug information about variables or functions") }
    var types: [(name: String, layout: String)] = []
    for (name, layouts) in layout.layouts { for text in layouts.sorted() { types.append((name, text)) } }
    types.sort { $0.name != $1.name ? $0.name < $1.name : $0.layout < $1.layout }
    self.types = types
    var hash = SHA256()
    for type in types { hash.update(Array("\(type.name) \(type.layout)\n".utf8)) }
    text = hash.finish().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// Variables with storage, static ones inside functions as well, and functions that are visible.
  private static func addRoots(
    _ unit: Dwarf_Die, _ layout: TypeLayout, _ exported: Set<UInt64>?, _ roots: inout Int
  ) {
    var open = unit.children
    while let die = open.popLast() {
      switch Int(die.tag) {
      case DW_TAG_namespace, DW_TAG_lexical_block: open += die.children
      case DW_TAG_variable:
        // A fixed address or a place in thread-local storage; variables on the stack have other expressions.
        guard isStatic(die) else { continue }
        roots += 1
        layout.add(die.reference(DW_AT_type))
      case DW_TAG_subprogram:
        open += die.children.filter { [DW_TAG_variable, DW_TAG_lexical_block].contains(Int($0.tag)) }
        guard die.flag(DW_AT_external), let address = die.address, exported?.contains(address) ?? true else {
          continue
        }
        roots += 1
        layout.add(die.reference(DW_AT_type))
        for child in die.children where Int(child.tag) == DW_TAG_formal_parameter {
          layout.add(child.reference(DW_AT_type))
        }
      default: break
      }
    }
  }

  private static func isStatic(_ die: Dwarf_Die) -> Bool {
    var attribute = Dwarf_Attribute()
    var operations: UnsafeMutablePointer<Dwarf_Op>?
    var count = 0
    return die.withSelf { (die) in
      guard dwarf_attr_integrate(die, UInt32(DW_AT_location), &attribute) != nil,
        dwarf_getlocation(&attribute, &operations, &count) == 0, count > 0, let first = operations?.pointee
      else { return false }
      switch Int(first.atom) {
      case DW_OP_addr, DW_OP_addrx, DW_OP_GNU_addr_index: return true
      case DW_OP_const8u, DW_OP_const4u, DW_OP_constx:
        // Thread-local: an offset, then DW_OP_form_tls_address or its GNU predecessor.
        return count == 2 && [DW_OP_form_tls_address, DW_OP_GNU_push_tls_address].contains(Int(operations![1].atom))
      default: return false
      }
    }
  }
}
