import CElfutils
import Foundation

/// Why there is no layout hash.
public struct DebugError: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  /// With libdw's own words.
  static func libdw(_ path: String) -> DebugError {
    DebugError("\(path): \(dwarf_errmsg(-1).map { String(cString: $0) } ?? "unknown error of libdw")")
  }
}

/// The debug information of one file, through libdw, which knows DWARF 2 to 5, type units and compressed sections.
final class DebugInformation {
  let path: String
  let handle: OpaquePointer
  private let descriptor: Int32
  /// What dwz moved to a file that several have in common.
  private var alternate: DebugInformation?

  /// `findAlternate` gets the name in .gnu_debugaltlink and the build-id of the file it means.
  init(_ path: String, findAlternate: (String, [UInt8]) -> String?) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw DebugError("\(path): \(String(cString: strerror(errno)))") }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw DebugError("\(path): not a regular file")
    }
    guard let handle = dwarf_begin(descriptor, DWARF_C_READ) else {
      close(descriptor)
      throw DebugError.libdw(path)
    }
    self.handle = handle
    try addAlternate(findAlternate)
  }

  deinit {
    dwarf_end(handle)
    close(descriptor)
  }

  private func addAlternate(_ find: (String, [UInt8]) -> String?) throws {
    var name: UnsafePointer<CChar>?
    var identity: UnsafeRawPointer?
    let count = dwelf_dwarf_gnu_debugaltlink(handle, &name, &identity)
    guard count > 0, let name, let identity else { return }
    let text = String(cString: name)
    let buildID = [UInt8](UnsafeRawBufferPointer(start: identity, count: Int(count)))
    guard let path = find(text, buildID) else {
      throw DebugError("\(path): what dwz moved to \(text) is not there")
    }
    let other = try DebugInformation(path) { _, _ in nil }
    alternate = other
    dwarf_setalt(handle, other.handle)
  }

  /// The top entry of each compile, partial and type unit, those of the alternate file included that are imported:
  /// dwz moves thread-local variables, too, whose places are the same in several files.
  func units() -> [Dwarf_Die] {
    var found: [Dwarf_Die] = []
    var known: Set<UInt> = []
    forEachUnit { if known.insert($0.identity).inserted { found.append($0) } }
    var index = 0
    while index < found.count {
      for child in found[index].children where Int(child.tag) == DW_TAG_imported_unit {
        guard let other = child.reference(DW_AT_import), known.insert(other.identity).inserted else { continue }
        found.append(other)
      }
      index += 1
    }
    return found
  }

  private func forEachUnit(_ body: (Dwarf_Die) -> Void) {
    var unit: OpaquePointer?
    var (die, split) = (Dwarf_Die(), Dwarf_Die())
    // Of split units only a skeleton is here, the rest is in a .dwo file, where that is still there.
    while dwarf_get_units(handle, unit, &unit, nil, nil, &die, &split) == 0 { body(split.cu != nil ? split : die) }
  }

  /// Addresses of functions that other objects can see, from the symbol table; nil where the file has none.
  func globalFunctions() -> Set<UInt64>? {
    guard let elf = dwarf_getelf(handle) else { return nil }
    var found: Set<UInt64>?
    var section: OpaquePointer?
    while let next = elf_nextscn(elf, section) {
      section = next
      var header = GElf_Shdr()
      guard gelf_getshdr(next, &header) != nil, header.sh_type == UInt32(SHT_SYMTAB), header.sh_entsize != 0,
        let data = elf_getdata(next, nil)
      else { continue }
      var addresses = found ?? []
      for index in 0..<Int32(clamping: header.sh_size / header.sh_entsize) {
        var symbol = GElf_Sym()
        guard gelf_getsym(data, index, &symbol) != nil else { break }
        // STT_FUNC or STT_GNU_IFUNC, STB_LOCAL, SHN_UNDEF.
        guard [2, 10].contains(symbol.st_info & 15), symbol.st_info >> 4 != 0, symbol.st_shndx != 0 else { continue }
        addresses.insert(symbol.st_value)
      }
      found = addresses
    }
    return found
  }
}

extension Dwarf_Die {
  var tag: Int32 { withSelf { dwarf_tag($0) } }
  /// Where it is: the same for the same entry, whatever way it was reached.
  var identity: UInt { UInt(bitPattern: addr) }

  var name: String? { withSelf { dwarf_diename($0) }.map { String(cString: $0) } }

  func withSelf<R>(_ body: (UnsafeMutablePointer<Dwarf_Die>) -> R) -> R {
    var copy = self
    return withUnsafeMutablePointer(to: &copy, body)
  }

  func has(_ attribute: Int) -> Bool { withSelf { dwarf_hasattr_integrate($0, UInt32(attribute)) != 0 } }

  func flag(_ attribute: Int) -> Bool {
    withAttribute(attribute) { (found) in
      var value = false
      return dwarf_formflag(found, &value) == 0 && value
    } ?? false
  }

  /// The entry that an attribute refers to, in whatever unit or file.
  func reference(_ attribute: Int) -> Dwarf_Die? {
    withAttribute(attribute) { (found) in
      var result = Dwarf_Die()
      return dwarf_formref_die(found, &result) == nil ? nil : result
    } ?? nil
  }

  func number(_ attribute: Int) -> UInt64? {
    withAttribute(attribute) { (found) -> UInt64? in
      var value: Dwarf_Word = 0
      if dwarf_formudata(found, &value) == 0 { return UInt64(value) }
      // DW_AT_data_member_location as an expression: DW_OP_plus_uconst, alone.
      var operations: UnsafeMutablePointer<Dwarf_Op>?
      var count = 0
      guard dwarf_getlocation(found, &operations, &count) == 0, count == 1, let operation = operations?.pointee,
        operation.atom == UInt8(DW_OP_plus_uconst)
      else { return nil }
      return UInt64(operation.number)
    } ?? nil
  }

  var address: UInt64? {
    withSelf { (die) in
      var value: Dwarf_Addr = 0
      return dwarf_lowpc(die, &value) == 0 ? UInt64(value) : nil
    }
  }

  private func withAttribute<R>(_ attribute: Int, _ body: (UnsafeMutablePointer<Dwarf_Attribute>) -> R) -> R? {
    var found = Dwarf_Attribute()
    return withSelf { (die) in
      guard dwarf_attr_integrate(die, UInt32(attribute), &found) != nil else { return nil }
      return body(&found)
    }
  }

  var children: [Dwarf_Die] {
    var found: [Dwarf_Die] = []
    var child = Dwarf_Die()
    guard withSelf({ dwarf_child($0, &child) }) == 0 else { return found }
    while true {
      found.append(child)
      var next = Dwarf_Die()
      guard dwarf_siblingof(&child, &next) == 0 else { return found }
      child = next
    }
  }
}
