// fuzz-only: Sources/ELF
// fuzz-tables: .note.gnu.build-id .note.ABI-tag

/// Notes: a run of them, each cut from the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNotes(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  var rest = Bytes(start: UnsafeRawPointer(data), count: size)
  check(rest)
  while let count = rest.load(UInt16.self, at: 0), let notes = rest.slice(at: 2, count: UInt64(count)) {
    check(notes)
    rest = rest.suffix(from: UInt64(count) + 2) ?? .empty
  }
  return 0
}

private func check(_ notes: Bytes) {
  guard let identifier = Notes.buildID(notes) else { return }
  precondition(identifier.count > 0 && identifier.count <= 64)
  precondition(identifier.memoryAddress >= notes.memoryAddress)
  precondition(
    identifier.memoryAddress + UInt64(identifier.count) <= notes.memoryAddress + UInt64(notes.count))
}
