/// dlerror(3): the last failure of each thread, told once. The text lies in Luci's heap, the pointer to it in the
/// thread's own words at the start of the merged TLS segment.
extension Program {
  private var errorSlot: UInt64 { tlsBlock }
  private var toldSlot: UInt64 { tlsBlock + 8 }

  func setError(_ text: Text) {
    clearError()
    var bytes = text.bytes
    bytes.append(0)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 16)
    bytes.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: $0.count) }
    ProcessMemory.store(UInt64(UInt(bitPattern: memory)), at: errorSlot)
    ProcessMemory.store(UInt64(0), at: toldSlot)
  }

  func setError(_ error: LoadError) {
    var text = error.message
    if case .symbolNotFound = error.kind, !error.file.isEmpty {
      text.append(", version ")
      text.append(error.file)
    }
    setError(text)
  }

  /// Takes over what the C library says of a call that was passed to it.
  func setHostError() {
    guard host.dlerror != 0 else { return }
    let text = ForeignCall.word(host.dlerror)
    if text != 0 {
      var copy = Text()
      copy.append(ProcessMemory.cString(at: text))
      setError(copy)
    }
  }

  private func clearError() {
    let old = ProcessMemory.load(UInt64.self, at: errorSlot)
    if old != 0 { ProcessMemory.pointer(old).deallocate() }
    ProcessMemory.store(UInt64(0), at: errorSlot)
  }

  /// The text of the last failure since the last call, or 0.
  public func lastError() -> UInt64 {
    if ProcessMemory.load(UInt64.self, at: toldSlot) != 0 {
      clearError()
      ProcessMemory.store(UInt64(0), at: toldSlot)
    }
    let text = ProcessMemory.load(UInt64.self, at: errorSlot)
    if text != 0 { ProcessMemory.store(UInt64(1), at: toldSlot) }
    return text
  }
}
