/// A word of state that holds the address of a function or a text (or none) from the start, and another one in the
/// new version. No code of either version writes to it by itself, but its address is handed out: whether the program
/// has changed it can only be seen in the running process. Where it has not, the word gets the new version's value.
public struct InitialPointer: Hashable, Sendable {
  /// Its address in each version's file.
  public let old: UInt64
  public let new: UInt64

  public init(old: UInt64, new: UInt64) { (self.old, self.new) = (old, new) }
}
