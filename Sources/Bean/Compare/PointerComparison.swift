import CKernel

/// Pointers in state with another initial value (`InitialPointer`): which of them may follow the new version.
extension Comparison {
  /// What a word of state refers to.
  private enum Pointee: Equatable {
    case none
    case function(UInt64)
    case text
    case other
  }

  private static func pointee(_ binary: Binary, _ address: UInt64) -> Pointee {
    guard let entry = binary.relocations.entry(at: address) else {
      guard let bytes = binary.file.image.bytes(at: address, count: 8) else { return .none }
      for index in 0..<bytes.count where bytes[index] != 0 { return .other }
      return .none
    }
    var target = UInt64(bitPattern: entry.addend)
    if entry.type == UInt32(R_X86_64_64), let symbol = binary.symbols.symbol(of: entry)?.symbol {
      guard symbol.isFunction, !symbol.isUndefined, !symbol.isIFunc else { return .other }
      target = target &+ symbol.value
    } else if entry.type != UInt32(R_X86_64_RELATIVE) {
      return .other
    }
    switch binary.regions.kind(of: target) {
    case .code: return binary.code.index(startingAt: target) == nil ? .other : .function(target)
    case .readOnly: return binary.string(at: target)?.isTextual == true ? .text : .other
    default: return .other
    }
  }

  /// By its kind: a function for a function, or for none; a text for a text, or where there was none.
  func isInitialPointer(_ pointer: InitialPointer) -> Bool {
    guard pointer.old & 7 == 0, pointer.new & 7 == 0, old.isInState(pointer.old), new.isInState(pointer.new) else {
      return false
    }
    switch (Comparison.pointee(old, pointer.old), Comparison.pointee(new, pointer.new)) {
    case (.function, .function), (.function, .none), (.none, .function), (.text, .text), (.none, .text): return true
    default: return false
    }
  }

  /// A library with more of them is another library.
  private static var maximumPointers: Int { 256 }
  /// Of those that become null: for each, all changed code is read.
  private static var maximumNulls: Int { 16 }

  /// Takes out what must not follow, each with its reason.
  func judgePointers() {
    if pointers.isEmpty { return }
    let before = PointerHome(old, matches.isEqualInNew)
    let after = PointerHome(new, matches.isEqual)
    var calls = UntestedCalls(self)
    let moved = movedFunctions()
    var kept: [InitialPointer] = []
    var nulls = 0
    for pointer in pointers {
      var obstacle: Place?
      let offsets = before.offsets(of: pointer.old)
      // What is read directly, and only so, needs no common home (`StateMapping.Kind.content`).
      var mayFollow =
        !offsets.isEmpty && kept.count < Comparison.maximumPointers && !before.isWritten(pointer.old)
        && !after.isWritten(pointer.new)
      if case .function(let function) = Comparison.pointee(old, pointer.old) {
        mayFollow = mayFollow && !moved.contains(function)
        if mayFollow, Comparison.pointee(new, pointer.new) == .none {
          nulls += 1
          mayFollow = nulls <= Comparison.maximumNulls
          if mayFollow { obstacle = calls.first(through: pointer.old, at: offsets) }
        }
      }
      if mayFollow && obstacle == nil { kept.append(pointer) } else { refuse(pointer, obstacle) }
    }
    pointers = kept
  }

  private func refuse(_ pointer: InitialPointer, _ function: Place?) {
    refuse(
      Refusal(
        .stateContent, function: function, old: old.place(at: pointer.old), new: new.place(at: pointer.new),
        oldValue: old.value(at: pointer.old), newValue: new.value(at: pointer.new)))
  }

  /// Functions of the old version whose counterparts are what another of these words refers to: entries that have
  /// changed places are entries with another meaning.
  private func movedFunctions() -> Set<UInt64> {
    var targets: Set<UInt64> = []
    for pointer in pointers {
      if case .function(let target) = Comparison.pointee(new, pointer.new) { targets.insert(target) }
    }
    var found: Set<UInt64> = []
    for pointer in pointers {
      guard case .function(let function) = Comparison.pointee(old, pointer.old),
        let index = old.code.index(startingAt: function), matches.newOfOld[index] >= 0,
        targets.contains(new.code.functions[Int(matches.newOfOld[index])].range.start)
      else { continue }
      found.insert(function)
    }
    return found
  }
}

extension FunctionMatch {
  /// By function of the old version: is it the same in the new one?
  var isEqualInNew: [Bool] { newOfOld.map { $0 >= 0 && isEqual[Int($0)] } }
}

extension Bytes {
  /// Not empty, and all of it printable, beyond ASCII, or what texts have besides: a tab, a new line, an escape sequence.
  var isTextual: Bool {
    for index in 0..<count {
      let byte = self[index]
      if byte == 0x7f || byte < 0x20 && !(byte >= 0x08 && byte <= 0x0d) && byte != 0x1b { return false }
    }
    return count != 0
  }
}
