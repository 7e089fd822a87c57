import CKernel

/// What the kernel puts on the stack of a new program (psABI, "Process Initialization"): argument count and
/// pointers, environment pointers, auxiliary vector. The strings stay where the kernel put them; this is the
/// vector of pointers to them, which can be written again for the program and for the host's loader.
public struct InitialStack {
  public struct AuxiliaryEntry {
    public var type: UInt64
    public var value: UInt64
  }

  /// Where argc lies: the stack pointer at the entry.
  public let address: UInt64
  public var arguments: [UInt64] = []
  public var environment: [UInt64] = []
  public var auxiliary: [AuxiliaryEntry] = []

  /// Reads the vector at `address`, as handed over by the kernel.
  public init(at address: UInt64) {
    self.address = address
    let count = ProcessMemory.load(UInt64.self, at: address)
    var position = address + 8
    for _ in 0..<count {
      arguments.append(ProcessMemory.load(UInt64.self, at: position))
      position += 8
    }
    position += 8
    while true {
      let pointer = ProcessMemory.load(UInt64.self, at: position)
      position += 8
      if pointer == 0 { break }
      environment.append(pointer)
    }
    while true {
      let type = ProcessMemory.load(UInt64.self, at: position)
      if type == UInt64(AT_NULL) { break }
      auxiliary.append(AuxiliaryEntry(type: type, value: ProcessMemory.load(UInt64.self, at: position + 8)))
      position += 16
    }
  }

  /// The value of an entry of the auxiliary vector.
  public subscript(type: Int32) -> UInt64? {
    get { auxiliary.first { $0.type == UInt64(type) }?.value }
    set {
      for index in 0..<auxiliary.count where auxiliary[index].type == UInt64(type) {
        if let newValue { auxiliary[index].value = newValue } else { auxiliary.remove(at: index) }
        return
      }
      if let newValue { auxiliary.append(AuxiliaryEntry(type: UInt64(type), value: newValue)) }
    }
  }

  public func argument(_ index: Int) -> Bytes? {
    index < arguments.count ? ProcessMemory.cString(at: arguments[index]) : nil
  }

  /// The value behind `NAME=` in the environment.
  public func environmentValue(_ name: StaticString) -> Bytes? {
    for pointer in environment {
      if let value = InitialStack.value(of: name, in: ProcessMemory.cString(at: pointer)) { return value }
    }
    return nil
  }

  static func value(of name: StaticString, in entry: Bytes) -> Bytes? {
    let length = name.utf8CodeUnitCount
    guard entry.hasPrefix(name), entry.count > length, entry[length] == 61 else { return nil }
    return entry.suffix(from: UInt64(length + 1))
  }

  /// Bytes that the vector takes when written, a multiple of 16 as the stack pointer must be.
  public var size: UInt64 {
    let words = 1 + arguments.count + 1 + environment.count + 1 + 2 * (auxiliary.count + 1)
    return (UInt64(words) * 8 + 15) & ~15
  }

  /// Writes the vector; `size` bytes at `address` must be free stack.
  public func write(at address: UInt64) {
    var position = address
    func put(_ word: UInt64) {
      ProcessMemory.store(word, at: position)
      position += 8
    }
    put(UInt64(arguments.count))
    for pointer in arguments { put(pointer) }
    put(0)
    for pointer in environment { put(pointer) }
    put(0)
    for entry in auxiliary {
      put(entry.type)
      put(entry.value)
    }
    put(UInt64(AT_NULL))
    put(0)
  }

  /// Address of the first auxiliary entry of a vector with these counts at `address`.
  public func auxiliaryAddress(at address: UInt64) -> UInt64 {
    address + UInt64(1 + arguments.count + 1 + environment.count + 1) * 8
  }
}
