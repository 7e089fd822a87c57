import CElfutils

/// What types look like in memory, as text that is the same for the same layout in any build.
///
/// A pointer to a structure counts as its name; the structure is then looked at for itself. So types that refer to
/// each other need no special case, and a type that has grown is told by its own name.
final class TypeLayout {
  /// Layouts by qualified name; several where units disagree.
  private(set) var layouts: [String: Set<String>] = [:]
  /// Definitions by kind and qualified name, for declarations that another unit completes.
  private var definitions: [String: [Dwarf_Die]] = [:]
  private var qualifiedNames: [UInt: String] = [:]
  private var visited: Set<UInt> = []
  private var pending: [(name: String, die: Dwarf_Die)] = []
  private var references: [UInt: String] = [:]

  /// Nested deeper than this, debug information is broken.
  private static var maximumDepth: Int { 64 }

  // MARK: - Names

  /// Notes the definitions of a unit, in namespaces and inside other types, too.
  func collect(_ unit: Dwarf_Die) {
    var open: [(die: Dwarf_Die, prefix: String, depth: Int)] = unit.children.map { ($0, "", 0) }
    while let (die, prefix, depth) = open.popLast() {
      guard depth < TypeLayout.maximumDepth else { continue }
      switch Int(die.tag) {
      case DW_TAG_namespace:
        let name = prefix + (die.name ?? "(anonymous)") + "::"
        open += die.children.map { ($0, name, depth + 1) }
      case DW_TAG_structure_type, DW_TAG_class_type, DW_TAG_union_type, DW_TAG_enumeration_type:
        guard let own = die.name else { continue }
        let name = prefix + own
        qualifiedNames[die.identity] = name
        if !die.flag(DW_AT_declaration) { definitions[TypeLayout.key(die, name), default: []].append(die) }
        if Int(die.tag) != DW_TAG_enumeration_type { open += die.children.map { ($0, name + "::", depth + 1) } }
      default: break
      }
    }
  }

  private static func key(_ die: Dwarf_Die, _ name: String) -> String {
    // C++ lets a class be declared as a structure.
    switch Int(die.tag) {
    case DW_TAG_union_type: "union \(name)"
    case DW_TAG_enumeration_type: "enum \(name)"
    default: "struct \(name)"
    }
  }

  private func name(_ die: Dwarf_Die) -> String? {
    if let known = qualifiedNames[die.identity] { return known }
    return die.name
  }

  // MARK: - Reachability

  /// Takes in a type and all that it leads to.
  func add(_ type: Dwarf_Die?) {
    guard let type else { return }
    _ = reference(type, 0)
    while let (name, die) = pending.popLast() {
      if die.flag(DW_AT_declaration) { continue }
      layouts[name, default: []].insert(content(die, 0))
    }
  }

  private func enqueue(_ die: Dwarf_Die, _ name: String) {
    guard visited.insert(die.identity).inserted else { return }
    let key = TypeLayout.key(die, name)
    if die.flag(DW_AT_declaration) {
      for definition in definitions[key] ?? [] where visited.insert(definition.identity).inserted {
        pending.append((key, definition))
      }
    } else {
      pending.append((key, die))
    }
  }

  /// How a type is written where something has it.
  private func reference(_ die: Dwarf_Die?, _ depth: Int) -> String {
    guard let die else { return "void" }
    if let known = references[die.identity] { return known }
    guard depth < TypeLayout.maximumDepth else { return "(too deep)" }
    let text = makeReference(die, depth + 1)
    references[die.identity] = text
    return text
  }

  private func makeReference(_ die: Dwarf_Die, _ depth: Int) -> String {
    let target = { self.reference(die.reference(DW_AT_type), depth) }
    switch Int(die.tag) {
    case DW_TAG_typedef, DW_TAG_const_type, DW_TAG_volatile_type, DW_TAG_restrict_type, DW_TAG_atomic_type,
      DW_TAG_immutable_type, DW_TAG_shared_type:
      return target()
    case DW_TAG_base_type:
      return "base \(die.number(DW_AT_encoding) ?? 0):\(die.number(DW_AT_byte_size) ?? 0)"
    case DW_TAG_pointer_type, DW_TAG_reference_type, DW_TAG_rvalue_reference_type:
      return "*" + target()
    case DW_TAG_ptr_to_member_type:
      return "member* \(reference(die.reference(DW_AT_containing_type), depth)) \(target())"
    case DW_TAG_array_type: return target() + bounds(die)
    case DW_TAG_subroutine_type: return signature(die, depth)
    case DW_TAG_structure_type, DW_TAG_class_type, DW_TAG_union_type, DW_TAG_enumeration_type:
      guard let name = name(die) else { return content(die, depth) }
      enqueue(die, name)
      return TypeLayout.key(die, name)
    default: return "tag \(die.tag) \(die.name ?? ""):\(die.number(DW_AT_byte_size) ?? 0)"
    }
  }

  private func bounds(_ array: Dwarf_Die) -> String {
    array.children.filter { [DW_TAG_subrange_type, DW_TAG_enumeration_type].contains(Int($0.tag)) }.map { (range) in
      if let count = range.number(DW_AT_count) { return "[\(count)]" }
      if let last = range.number(DW_AT_upper_bound) { return "[\(last &+ 1)]" }
      return "[]"
    }.joined()
  }

  /// Of a function or a function type.
  func signature(_ die: Dwarf_Die, _ depth: Int = 0) -> String {
    var parts = [reference(die.reference(DW_AT_type), depth)]
    for child in die.children {
      switch Int(child.tag) {
      case DW_TAG_formal_parameter: parts.append(reference(child.reference(DW_AT_type), depth))
      case DW_TAG_unspecified_parameters: parts.append("...")
      default: break
      }
    }
    return "(" + parts.joined(separator: ",") + ")"
  }

  // MARK: - Layout

  /// Size and members of a structure, or the size of an enumeration: a new constant is no change of layout.
  private func content(_ die: Dwarf_Die, _ depth: Int) -> String {
    let size = die.number(DW_AT_byte_size) ?? 0
    guard Int(die.tag) != DW_TAG_enumeration_type, depth < TypeLayout.maximumDepth else { return "\(size)" }
    return "\(size){" + die.children.compactMap { member($0, depth + 1) }.joined(separator: ";") + "}"
  }

  private func member(_ die: Dwarf_Die, _ depth: Int) -> String? {
    switch Int(die.tag) {
    case DW_TAG_member:
      // In DWARF 4, static members of C++ are members, too.
      if die.flag(DW_AT_external) { return nil }
      return "\(die.name ?? "")@\(place(die)):\(reference(die.reference(DW_AT_type), depth))"
    case DW_TAG_inheritance:
      let kind = die.number(DW_AT_virtuality) ?? 0
      return "base@\(place(die))/\(kind):\(reference(die.reference(DW_AT_type), depth))"
    case DW_TAG_subprogram:
      // The order of virtual functions is that of the table that objects point to.
      guard let virtuality = die.number(DW_AT_virtuality), virtuality != 0 else { return nil }
      return "virtual \(die.name ?? "")"
    case DW_TAG_variant_part:
      return "variants{" + die.children.compactMap { variant($0, depth) }.joined(separator: ";") + "}"
    default: return nil
    }
  }

  /// Rust's enumerations.
  private func variant(_ die: Dwarf_Die, _ depth: Int) -> String? {
    guard depth < TypeLayout.maximumDepth else { return nil }
    guard Int(die.tag) == DW_TAG_variant else { return member(die, depth) }
    let value = die.number(DW_AT_discr_value).map { "\($0)" } ?? ""
    return "\(value){" + die.children.compactMap { member($0, depth + 1) }.joined(separator: ";") + "}"
  }

  /// Byte offset, and for bit fields bits from the structure's start, in the terms of DWARF 5.
  private func place(_ die: Dwarf_Die) -> String {
    let bytes = die.number(DW_AT_data_member_location) ?? 0
    guard let bits = die.number(DW_AT_bit_size) else { return "\(bytes)" }
    if let offset = die.number(DW_AT_data_bit_offset) { return "\(offset)/\(bits)" }
    // Up to DWARF 3: from the most significant bit of a storage unit, on a machine that counts from the least.
    let unit = die.number(DW_AT_byte_size) ?? die.reference(DW_AT_type)?.number(DW_AT_byte_size) ?? 0
    let offset = die.number(DW_AT_bit_offset) ?? 0
    return "\(bytes &* 8 &+ unit &* 8 &- offset &- bits)/\(bits)"
  }
}
