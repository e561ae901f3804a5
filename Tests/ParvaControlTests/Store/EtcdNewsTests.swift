import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct EtcdNewsTests {
  @Test(
    "who follows gets every batch once and in order, or is told to read anew; what is kept is bounded unpacked",
    arguments: 1...5 as ClosedRange<UInt64>)
  func everyBatchOrAReset(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var news = EtcdNews(after: 7)
    var (newest, place, seen) = (7, 7, 0)
    for _ in 0..<20_000 {
      if random.next() % 3 > 0 {
        newest += 1
        let plain = random.next() % 50 == 0 ? EtcdNews.mostPlainBytes * 2 / 3 : Int(random.next() % 4000)
        news.add(StoreBatch(), position: newest, nonce: UInt64(newest), bytes: plain / 10, plainBytes: plain)
        #expect(news.all.count <= EtcdNews.mostCount)
        #expect(news.plainBytes <= EtcdNews.mostPlainBytes || news.all.count == 1)
        #expect(news.plainBytes == news.all.reduce(0) { $0 + $1.plainBytes })
      } else {
        // What another replica is given begins right after what it has, without a gap and within bounds.
        let given = news.all(after: place, mostBytes: 1 << 20)
        #expect(given.map(\.position) == Array((place + 1)..<(place + 1 + given.count)))
        #expect(given.dropFirst().reduce(0) { $0 + $1.bytes } <= 1 << 20)
        switch news.next(after: place) {
        case .batch(_, let position)?:
          #expect(position == place + 1 && given.first?.nonce == UInt64(position))
          (place, seen) = (position, seen + 1)
        case .reset(let position)?:
          #expect(given.isEmpty)
          #expect(position == newest && news.all.first.map { $0.position > place + 1 } ?? false)
          place = position
        case nil: #expect(place == newest && given.isEmpty)
        }
      }
    }
    #expect(seen > 100)
  }

  @Test func oneThatIsLargerThanAllIsKeptAlone() {
    var news = EtcdNews()
    for position in 1...3 {
      news.add(StoreBatch(), position: position, nonce: 0, bytes: 1, plainBytes: EtcdNews.mostPlainBytes + 1)
    }
    #expect(news.all.map(\.position) == [3])
    if case .batch(_, 3)? = news.next(after: 2) {} else { Issue.record("it is not there") }
    if case .reset(3)? = news.next(after: 1) {} else { Issue.record("nobody is told") }
  }
}
