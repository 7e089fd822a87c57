/// A use of outdated code, as a status record.
struct OutdatedUse {
  let record: StatusRecord

  init(_ use: FaultRing.Use, _ version: OutdatedVersion, _ place: CodePlace, _ caller: Path?) {
    var detail = Text("version ")
    detail.append(decimal: UInt64(version.number))
    detail.append(": ")
    place.write(to: &detail)
    detail.append(", thread ")
    detail.append(decimal: UInt64(max(0, use.thread)))
    if let caller {
      detail.append(", called from ")
      detail.append(printable: caller)
    }
    var fields = Text(",\"version\":")
    fields.append(decimal: UInt64(version.number))
    fields.append(",\"function\":")
    var name = Text()
    CodePlace(name: place.name, offset: 0, address: place.address).write(to: &name)
    name.withBytes { fields.append(jsonString: $0) }
    fields.append(",\"offset\":")
    fields.append(decimal: place.offset)
    fields.append(",\"thread\":")
    fields.append(decimal: UInt64(max(0, use.thread)))
    if let caller {
      fields.append(",\"caller\":")
      caller.withBytes { fields.append(jsonString: $0) }
    }
    record = StatusRecord(
      .reusedOutdated, object: version.shared.name, path: version.shared.path, detail: detail, fields: fields)
  }
}
