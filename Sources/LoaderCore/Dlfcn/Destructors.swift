/// The order of destructors, which programs can see and have come to rely on: as the system's loader, in load order,
/// but before those of every object that is needed or bound to; in a cycle, what was loaded later comes first.
struct DestructorOrder {
  private var finished: [LoadedObject] = []
  private let objects: [LoadedObject]
  private let countsBindings: Bool

  /// Sorts `objects`, which are in load order.
  static func sorted(_ objects: [LoadedObject]) -> [LoadedObject] {
    let rough = DestructorOrder(objects, countsBindings: true).finished
    guard objects.contains(where: { !$0.boundTo.isEmpty }) else { return Array(rough.reversed()) }
    // Where needs and bindings contradict each other, needs decide.
    return Array(DestructorOrder(rough.reversed(), countsBindings: false).finished.reversed())
  }

  private init(_ objects: [LoadedObject], countsBindings: Bool) {
    self.objects = objects
    self.countsBindings = countsBindings
    for object in objects.reversed() { visit(object) }
    for object in objects { object.isMarked = false }
  }

  private mutating func visit(_ object: LoadedObject) {
    if object.isMarked { return }
    object.isMarked = true
    for other in object.dependencies { visitIfListed(other) }
    if countsBindings {
      for other in object.boundTo { visitIfListed(other) }
    }
    finished.append(object)
  }

  /// Constructors ran in the first version of an object, and so do destructors.
  private mutating func visitIfListed(_ other: LoadedObject) {
    let first = other.identity?.versions.first ?? other
    if !first.isMarked, objects.contains(where: { $0 === first }) { visit(first) }
  }
}
