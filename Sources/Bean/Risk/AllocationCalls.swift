/// Calls of functions that allocate memory, with the constant sizes that they are given.
struct AllocationCalls {
  struct Call {
    /// Of the callee's name; 0: through a pointer.
    let callee: UInt64
    /// In `steps`.
    let index: Int
    let size: UInt64
    /// By its name the callee may hand out parts of something larger.
    var isPool = false
  }

  private let binary: Binary

  init(_ binary: Binary) { self.binary = binary }

  /// Arguments are set within so many instructions before a call.
  private static var reach: Int { 8 }

  /// Registers by their number in encodings.
  private static var rdi: UInt8 { 7 }
  private static var rsi: UInt8 { 6 }
  private static var rdx: UInt8 { 2 }

  /// Calls of known allocators with constant sizes, and calls through pointers with a constant first argument.
  func calls(in steps: [RiskStep]) -> [Call] {
    var found: [Call] = []
    for index in steps.indices {
      switch steps[index].kind {
      case .pointerCall:
        if let size = constant(AllocationCalls.rdi, before: index, steps) {
          found.append(Call(callee: 0, index: index, size: size))
        }
      case .call, .slotCall:
        guard hasConstant(before: index, steps), let name = name(of: steps[index]) else { continue }
        for register in AllocationCalls.sizes(name) {
          guard let size = constant(register, before: index, steps) else { continue }
          let callee = FNV1a.hash(name) &+ UInt64(register)
          found.append(Call(callee: callee, index: index, size: size, isPool: !AllocationCalls.isWhole(name)))
        }
      default: break
      }
    }
    return found
  }

  private func hasConstant(before index: Int, _ steps: [RiskStep]) -> Bool {
    var step = index &- 1
    while step >= 0, index &- step <= AllocationCalls.reach {
      switch steps[step].kind {
      case .constant: return true
      case .plain: break
      default: return false
      }
      step &-= 1
    }
    return false
  }

  private func constant(_ register: UInt8, before index: Int, _ steps: [RiskStep]) -> UInt64? {
    var step = index &- 1
    while step >= 0, index &- step <= AllocationCalls.reach {
      switch steps[step].kind {
      case .constant: if steps[step].register == register { return steps[step].value }
      case .plain: break
      default: return nil
      }
      step &-= 1
    }
    return nil
  }

  /// What a call by its name takes sizes in.
  struct Allocator {
    /// Numbers of arguments; empty: it is no allocator.
    let sizes: [Int]
    /// It may hand out parts of something larger.
    let isPool: Bool
  }

  /// nil: what is called has no name.
  func allocator(_ call: FlowSummary.Call) -> Allocator? {
    var step = RiskStep()
    step.kind = call.isSlot ? .slotCall : .call
    step.value = call.target
    guard call.target != 0, let name = name(of: step) else { return nil }
    let sizes = AllocationCalls.sizes(name).map { $0 == AllocationCalls.rdi ? 0 : $0 == AllocationCalls.rsi ? 1 : 2 }
    return Allocator(sizes: sizes, isPool: !sizes.isEmpty && !AllocationCalls.isWhole(name))
  }

  /// The name of what is called: an export or local function, or what a slot is for.
  private func name(of step: RiskStep) -> Bytes? {
    if step.kind == .slotCall { return name(ofSlot: step.value) }
    guard let index = binary.code.index(startingAt: step.value) else { return nil }
    let function = binary.code.functions[index]
    if !function.isLinkage {
      guard let named = binary.symbols.name(containing: step.value), named.start == step.value else { return nil }
      return named.name
    }
    for reference in binary.code.references[function.first..<function.end] where reference.kind == .memory {
      return name(ofSlot: reference.target)
    }
    return nil
  }

  private func name(ofSlot address: UInt64) -> Bytes? {
    guard let entry = binary.relocations.entry(at: address) else { return nil }
    return binary.symbols.symbol(of: entry)?.name
  }

  /// malloc, calloc, zalloc, realloc and the like, with whatever in front, and operator new: each call gets a chunk
  /// of its own. Others (g_slice_alloc, apr_palloc) may take it out of a pool.
  private static func isWhole(_ name: Bytes) -> Bool {
    if name.hasPrefix("_Zn") || name == Bytes("_ZdlPvm") || name == Bytes("aligned_alloc") { return true }
    return name.hasSuffix("malloc") || name.hasSuffix("malloc0") || name.hasSuffix("calloc")
      || name.hasSuffix("zalloc") || name.hasSuffix("realloc") || name.hasSuffix("memalign")
  }

  /// The registers in which a function of this name takes sizes (System V psABI, 3.2.3): malloc, g_malloc0,
  /// CRYPTO_zalloc, …; operators new and sized delete by their names in the Itanium C++ ABI.
  private static func sizes(_ name: Bytes) -> [UInt8] {
    // A hostile file could have a very long name hashed for each of very many calls.
    if name.count > 128 { return [] }
    if name.hasPrefix("_Zn") { return name.count > 4 && name[4] == UInt8(ascii: "m") ? [rdi] : [] }
    if name == Bytes("_ZdlPvm") || name.hasSuffix("realloc") || name == Bytes("aligned_alloc") { return [rsi] }
    if name.hasSuffix("memalign") { return name.hasPrefix("posix") ? [rdx] : [rsi] }
    if name.hasSuffix("dealloc") { return [] }
    if name.hasSuffix("calloc") { return [rdi, rsi] }
    return name.hasSuffix("alloc") || name.hasSuffix("alloc0") || name.hasSuffix("allocate") ? [rdi] : []
  }
}
