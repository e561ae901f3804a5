import ParvaControl
import ParvaControlTestSupport
import ParvaTestSupport
import Testing

@Suite struct RegistrationTableTests {
  @Test(arguments: 0..<40) func itBehavesLikeASortedDictionary(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var table = RegistrationTable()
    var model: [String: Registration] = [:]
    for step in 0..<30 {
      // Few changes take the path in place, many the merge.
      let size = random.next(upperBound: UInt64(2)) == 0 ? 3 : 60
      var changes: [String: Registration?] = [:]
      for _ in 0..<size {
        let id = "w\(random.next(upperBound: UInt64(80)))"
        changes[id] =
          random.next(upperBound: UInt64(3)) == 0
          ? .some(nil) : Samples.registration(Samples.workload(id), revision: step)
      }
      table.apply(changes)
      for (id, registration) in changes { model[id] = registration }
      #expect(table.rows == model.values.sorted { $0.id < $1.id }, "seed \(seed), step \(step)")
      let probe = "w\(random.next(upperBound: UInt64(100)))"
      #expect(table[probe] == model[probe])
      #expect(Array(table.rows(after: probe)) == model.values.filter { $0.id > probe }.sorted { $0.id < $1.id })
    }
    #expect(table.rows(after: nil).count == model.count)
  }
}
