/// The type table of a function's exception table, as the C++ ABI's personality routine reads it (Itanium C++ ABI,
/// "Exception Handling Tables"; C, Rust and others share the format). Nothing in it tells the number of types: it
/// is the highest that an action names.
enum UnwindTypes {
  /// Appends the types that are reached through a word elsewhere. `budget` bounds the steps over all tables, which
  /// hostile ones could make overlap.
  static func collect(
    _ table: UnwindReader, function: UInt64, budget: inout Int, into result: inout [UnwindTable.Indirection]
  ) {
    do throws(ELFError) {
      try collectOrThrow(table, function, &budget, &result)
    } catch {
      return
    }
  }

  private static func collectOrThrow(
    _ table: UnwindReader, _ function: UInt64, _ budget: inout Int, _ result: inout [UnwindTable.Indirection]
  ) throws(ELFError) {
    var reader = table
    let landingEncoding = try reader.read(UInt8.self)
    if landingEncoding != UnwindReader.omit { _ = try reader.pointer(landingEncoding, functionBase: function) }
    let typeEncoding = try reader.read(UInt8.self)
    guard typeEncoding != UnwindReader.omit, typeEncoding & 0x80 != 0,
      let size = UnwindReader.fixedSize(typeEncoding)
    else { return }
    let distance = try reader.uleb()
    guard distance <= UInt64(reader.bytes.count) else { throw reader.error }
    let typeBase = reader.offset &+ Int(distance)
    let highest = try highestType(&reader, typeBase: typeBase, &budget)
    var index = 1
    while index <= highest, budget > 0 {
      budget &-= 1
      reader.offset = typeBase &- index &* size
      let place = reader.address
      if let target = try reader.pointer(typeEncoding) {
        result.append(UnwindTable.Indirection(place: place, size: size, target: target))
      }
      index &+= 1
    }
  }

  /// Goes through the call sites and the actions that they name.
  private static func highestType(_ reader: inout UnwindReader, typeBase: Int, _ budget: inout Int)
    throws(ELFError) -> Int
  {
    let encoding = try reader.read(UInt8.self)
    let length = try reader.uleb()
    guard length <= UInt64(reader.bytes.count) else { throw reader.error }
    let actions = reader.offset &+ Int(length)
    // A table can't have more types than fit between its actions and its base.
    let most = max(typeBase &- actions, 0)
    var highest = 0
    while reader.offset < actions, budget > 0 {
      budget &-= 1
      for _ in 0..<3 { _ = try reader.number(encoding) }
      let action = try reader.uleb()
      guard action != 0, action <= UInt64(most) else { continue }
      var record = reader
      record.offset = actions &+ Int(action) &- 1
      try follow(&record, typeBase: typeBase, &highest, &budget)
    }
    return min(highest, most)
  }

  /// An action record is a filter and the distance to the next one. A positive filter is a type, a negative one
  /// leads to a list of types (an exception specification), 0 is a cleanup.
  private static func follow(
    _ record: inout UnwindReader, typeBase: Int, _ highest: inout Int, _ budget: inout Int
  ) throws(ELFError) {
    while budget > 0 {
      budget &-= 1
      let filter = try record.sleb()
      if filter > 0 { highest = max(highest, Int(filter)) }
      if filter < 0 {
        var list = record
        list.offset = typeBase &+ Int(~filter)
        while budget > 0 {
          budget &-= 1
          let type = try list.uleb()
          if type == 0 { break }
          highest = max(highest, Int(truncatingIfNeeded: type & 0xffff_ffff))
        }
      }
      let next = record.offset
      let distance = try record.sleb()
      if distance == 0 { return }
      record.offset = next &+ Int(distance)
    }
  }
}
