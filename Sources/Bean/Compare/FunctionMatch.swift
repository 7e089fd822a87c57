/// Which function of the new version stands for which one of the old.
public struct FunctionMatch {
  /// Index in the old version's table, by new index; -1: none, the function was added.
  public private(set) var oldOfNew: [Int32]
  public private(set) var newOfOld: [Int32]
  /// By new index: the pair is the same but for position-dependent fields.
  public private(set) var isEqual: [Bool]
  /// By new index: matched by nothing but the order among others with the same code.
  public private(set) var isByOrder: [Bool]
  /// Exports, whose name says what they are: two with other names are never each other's, however alike their code is.
  private var isExport: (old: [Bool], new: [Bool]) = ([], [])

  init(oldCount: Int, newCount: Int) {
    oldOfNew = [Int32](repeating: -1, count: newCount)
    newOfOld = [Int32](repeating: -1, count: oldCount)
    isEqual = [Bool](repeating: false, count: newCount)
    isByOrder = [Bool](repeating: false, count: newCount)
  }

  mutating func pair(_ old: Int, _ new: Int, isEqual equal: Bool, isByOrder weak: Bool = false) {
    isByOrder[new] = weak
    oldOfNew[new] = Int32(truncatingIfNeeded: old)
    newOfOld[old] = Int32(truncatingIfNeeded: new)
    isEqual[new] = equal
  }

  mutating func countAsChanged(_ new: Int) { isEqual[new] = false }

  /// To be called once exports are matched by name: by index, whether a function is one.
  mutating func keepApart(exports old: [Bool], _ new: [Bool]) { isExport = (old, new) }

  func areFree(_ old: Int, _ new: Int) -> Bool { newOfOld[old] < 0 && oldOfNew[new] < 0 && mayBeOne(old, new) }

  private func mayBeOne(_ old: Int, _ new: Int) -> Bool {
    isExport.old.isEmpty || !isExport.old[old] || !isExport.new[new]
  }

  /// Nothing but their order, if anything, says what they belong to.
  func areLoose(_ old: Int, _ new: Int) -> Bool {
    (newOfOld[old] < 0 || isByOrder[Int(newOfOld[old])]) && (oldOfNew[new] < 0 || isByOrder[new])
      && mayBeOne(old, new)
  }

  /// Takes two functions from whatever they were matched with.
  mutating func free(_ old: Int, _ new: Int) {
    if newOfOld[old] >= 0 {
      let other = Int(newOfOld[old])
      (oldOfNew[other], isEqual[other], newOfOld[old]) = (-1, false, -1)
    }
    if oldOfNew[new] >= 0 {
      newOfOld[Int(oldOfNew[new])] = -1
      (oldOfNew[new], isEqual[new]) = (-1, false)
    }
  }
}
