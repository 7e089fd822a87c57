extension Array {
  /// In an array that is sorted so that those which are before something come first: the index of the first one that is
  /// not; `count` if all are.
  @inline(__always)
  func lowerBound(_ isBefore: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
