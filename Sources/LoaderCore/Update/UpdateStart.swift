extension Program {
  func startUpdates() {}
  func objectsWereOpened(_ objects: [LoadedObject]) {}
  func currentVersion(of object: LoadedObject) -> LoadedObject { object }
  func entryAddress(of found: Definition, name: Bytes, version: Bytes?) -> UInt64 { found.address }
}
