/// A function or a piece of data of an object: what is hashed, compared and told by name.
public struct Item {
  public enum Kind: UInt8, Equatable, Sendable {
    case function
    /// Bytes in executable sections that are no instructions: tables of hand-written assembly.
    case codeData
    /// Never written.
    case constant
    /// Written by relocation only.
    case relocatedConstant
    case variable
    /// Its addresses count from the start of the thread-local block.
    case threadVariable
    /// A symbol without a size that begins no other item.
    case label

    public var word: StaticString {
      switch self {
      case .function: "function"
      case .codeData: "code-data"
      case .constant: "constant"
      case .relocatedConstant: "relro"
      case .variable: "variable"
      case .threadVariable: "thread-variable"
      case .label: "label"
      }
    }
    public var isCode: Bool { self == .function || self == .codeData }
    public var isConstant: Bool { self == .constant || self == .relocatedConstant || self == .codeData }
    public var isVariable: Bool { self == .variable || self == .threadVariable }
  }

  public let kind: Kind
  public let range: AddressRange
  /// Empty: no symbol names it. Of several names it is the exported one, then the first in alphabetical order.
  public let name: Bytes
  public let isExport: Bool
  /// A symbol, code or a relocation tells that it begins there; else it is what was left between others.
  public let isKnown: Bool
  /// In `Binary.code.functions`; -1 for data.
  public let function: Int32
  /// Which of the object's regions it lies in; -1: thread-local, or in none.
  public let region: Int32
  /// In `ItemTable.references`, in order of address.
  public internal(set) var first = 0
  public internal(set) var end = 0
  /// Of its bytes without those that depend on where it, or what it refers to, lies.
  public internal(set) var internalHash: UInt64 = 0
  /// Of the identities of what it refers to.
  public internal(set) var externalHash: UInt64 = 0
}

/// What a reference leads to.
public struct ItemTarget: Equatable {
  public enum Kind: UInt8, Equatable, Sendable {
    /// `index` in `ItemTable.items`, `offset` from its start.
    case item
    /// `index` in `SymbolIndex.entries`, `offset` is the addend: bound at run time.
    case symbol
    /// `index` in `RegionMap.regions`, `offset` from its start: what is no item, like a GOT as a whole.
    case region
    /// The thread-local block of this object as such.
    case module
    /// Nowhere in this object; `offset` is the address.
    case nowhere
  }

  public let kind: Kind
  public let index: Int32
  public let offset: UInt64

  public init(_ kind: Kind, _ index: Int = 0, _ offset: UInt64 = 0) {
    self.kind = kind
    self.index = Int32(truncatingIfNeeded: index)
    self.offset = offset
  }
}

/// A field of an item that depends on where something lies.
public struct ItemReference {
  public enum Kind: UInt8, Equatable, Sendable {
    case call
    /// A branch out of the function.
    case jump
    /// The operand of an instruction that reads or writes.
    case memory
    /// LEA.
    case address
    /// A word that is relocated.
    case pointer
    /// A word of a jump table, relative to the table.
    case tableWord

    public var word: StaticString {
      switch self {
      case .call: "call"
      case .jump: "jump"
      case .memory: "memory"
      case .address: "address"
      case .pointer: "pointer"
      case .tableWord: "table-word"
      }
    }
  }

  /// Address of the field, or offset in the thread-local block.
  public let field: UInt64
  public let size: UInt8
  public let kind: Kind
  /// Through a slot of the GOT or an entry of the PLT.
  public let isIndirect: Bool
  public let target: ItemTarget
}

/// How items are made and compared.
public struct ItemOptions: Sendable {
  /// Bindings to symbols that the object defines itself count as references to these.
  public var resolves = false
  /// What the linker relaxed (GOT load to LEA, call through the GOT to direct call) counts as what it was. Implies
  /// `resolves`.
  public var rebuilds = false
  public var keepsEmpty = false

  public init() {}
}
