import Foundation
import ParvaControlTestSupport
import Testing

@testable import ParvaControl

/// What copies leave behind.
@Suite struct EtcdCopyFolderTests {
  private static func names(_ folder: TemporaryFolder) throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
  }

  @Test("a store that cannot be opened leaves nothing")
  func whatCannotBeOpened() async throws {
    let folder = try TemporaryFolder()
    var settings = try EtcdStore.Settings("//127.0.0.1:1/parva", StoreAccess())
    settings.place = URL(filePath: folder.path)
    let refusal = await #expect(throws: StoreError.self) { try await EtcdStore(settings, patience: .zero) }
    #expect(refusal?.code == .unavailable)
    #expect(try Self.names(folder).isEmpty)
    // Nor one whose opening is given up.
    let opening = Task { [settings] in try await EtcdStore(settings) }
    while try Self.names(folder).isEmpty { await Task.yield() }
    opening.cancel()
    await #expect(throws: StoreError.self) { try await opening.value }
    #expect(try Self.names(folder).isEmpty)
  }

  @Test(
    "what a snapshot takes the place of does not stay on the disk",
    .enabled(if: EtcdMember.shared != nil, "etcd is not installed"))
  func replacedCopiesGo() async throws {
    let (member, folder) = (try #require(EtcdMember.shared), try TemporaryFolder())
    var settings = try EtcdStore.Settings("//\(member.endpoint)/copies-\(UUID().uuidString)", StoreAccess())
    settings.place = URL(filePath: folder.path)
    let store = try await EtcdStore(settings)
    let own = try #require(Self.names(folder).first)
    func copies() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: folder.file(own)).filter { $0.contains(".sqlite") }
    }
    let first = try copies()
    let file = try store.copy.moment().file()
    for position in [3, 7, 7, 5, 9] {
      try await store.replace(by: file, position: position, bytes: file.count)
      let there = try copies()
      #expect(there.count { $0.hasSuffix(".sqlite") } == 1 && !there.contains(where: first.contains), "\(there)")
      #expect(try await EtcdReplicasTests.rows(store).isEmpty)
    }
    #expect(store.position == 9)
    try await store.close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("what processes have left that are gone is removed, and what others have or begin stays")
  func whatIsLeftOfOthers() throws {
    let folder = try TemporaryFolder()
    func make(_ name: String, age: TimeInterval = 0, isLocked: Bool? = nil) throws -> StoreLock? {
      let url = URL(filePath: folder.path).appending(path: name)
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
      try Data([1]).write(to: url.appending(path: "some.sqlite"))
      let lock = try isLocked.map { _ in try StoreLock(path: url.appending(path: "lock").path) }
      if isLocked == false { lock?.release() }
      let time = Date(timeIntervalSinceNow: -age)
      try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: url.path)
      return lock
    }
    _ = try make("parva-begun-old", age: 3600)
    _ = try make("parva-begun-locked", age: 3600, isLocked: false)
    _ = try make("parva-begun-new")
    _ = try make("parva-copy-left", isLocked: false)
    let held = try make("parva-copy-held", age: 3600, isLocked: true)
    _ = try make("parva-copy-bare", age: 3600)
    _ = try make("another", age: 3600)
    let own = try EtcdCopyFolder(in: URL(filePath: folder.path))
    let kept: Set = ["parva-begun-new", "parva-copy-held", "parva-copy-bare", "another"]
    #expect(try Self.names(folder) == kept.union([own.url.lastPathComponent]))
    own.remove()
    #expect(try Self.names(folder) == kept)
    held?.release()
  }
}
