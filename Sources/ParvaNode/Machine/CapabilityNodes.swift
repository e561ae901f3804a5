import Foundation
import Glibc

/// The device nodes of the driver's capabilities in `/dev/nvidia-caps`: `config` to make and destroy instances, `monitor`
/// to see what runs on them, and one for each GPU and compute instance that may be.
///
/// The driver announces none of them to udev, and nvidia-modprobe gives `config` and `monitor` back to root each time it
/// runs: they are made before the agent starts, and the driver is told to leave them alone (`DeviceFileModify: 0`).
package struct CapabilityNodes: Sendable {
  package struct Node: Hashable, Sendable {
    package var name: String
    package var minor: Int
    /// Of whoever administers, and of the group that is told to: other nodes are for everybody, as nvidia-modprobe makes
    /// them.
    package var isAdministrative: Bool { name == "config" || name == "monitor" }
  }

  package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    case noCapabilities(String)
    case notMade(String, Int32)
    /// 0 where what was written does not read back.
    case notKept(String, Int32)

    package var description: String {
      switch self {
      case .noCapabilities(let path):
        "\(path) lists no MIG capabilities: load the driver (modprobe nvidia), R450 or later"
      case .notMade(let path, let code): "\(path) cannot be made: \(String(cString: strerror(code)))"
      case .notKept(let path, let code):
        "\(path) does not take DeviceFileModify: 0, so the next nvidia-modprobe gives the nodes back to root"
          + (code == 0 ? "" : ": \(String(cString: strerror(code)))")
      }
    }
  }

  /// What lies before `/dev` and `/proc`; empty for this machine.
  let root: String
  /// Nodes are plain files: there is no device behind them.
  let isSimulated: Bool

  package init(root: String = "", isSimulated: Bool = false) {
    self.root = root
    self.isSimulated = isSimulated
  }

  package var listed: [Node] {
    DeviceHolders.minors(proc: root + "/proc").map { Node(name: $0.name, minor: $0.minor) }
  }

  package func path(_ node: Node) -> String { "\(root)/dev/nvidia-caps/nvidia-cap\(node.minor)" }

  /// Whether this process can open the node.
  package func opens(_ node: Node) -> Bool {
    let descriptor = open(path(node), O_RDONLY | O_CLOEXEC)
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
  }

  /// Makes every listed node, and gives those that administer to `group`; answers how many are new or were changed.
  package func make(group: UInt32?) throws(Failure) -> Int {
    let nodes = listed
    guard !nodes.isEmpty, let major else { throw .noCapabilities("\(root)/proc/driver/nvidia-caps/mig-minors") }
    let folder = "\(root)/dev/nvidia-caps"
    if mkdir(folder, 0o755) != 0 && errno != EEXIST { throw .notMade(folder, errno) }
    var found = stat()
    // Root must not follow a link out of a folder that a user can write.
    guard lstat(folder, &found) == 0, found.st_mode & S_IFMT == S_IFDIR else { throw .notMade(folder, ENOTDIR) }
    // The unit's umask is not what these are to have.
    chmod(folder, 0o755)
    var changed = 0
    for node in nodes { if try make(node, major: major, group: group) { changed += 1 } }
    for name in ["config", "monitor"] { try keep("\(root)/proc/driver/nvidia/capabilities/mig/\(name)") }
    return changed
  }

  /// Tells nvidia-modprobe to leave a node as it is. Drivers without the file have no say in it.
  private func keep(_ file: String) throws(Failure) {
    let setting = "DeviceFileModify: 0"
    let descriptor = open(file, O_WRONLY | O_CLOEXEC)
    if descriptor < 0 && errno == ENOENT { return }
    guard descriptor >= 0 else { throw .notKept(file, errno) }
    defer { close(descriptor) }
    let line = setting + "\n"
    guard write(descriptor, line, line.utf8.count) == line.utf8.count else { throw .notKept(file, errno) }
    let said = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
    guard said.contains(setting) else { throw .notKept(file, 0) }
  }

  private func make(_ node: Node, major: UInt, group: UInt32?) throws(Failure) -> Bool {
    let path = path(node)
    let minor = UInt(node.minor)
    // As gnu_dev_makedev(3) puts both numbers together.
    let device = (major & 0xfff) << 8 | minor & 0xff | (minor & ~0xff) << 12 | (major & ~0xfff) << 32
    let mode: mode_t = node.isAdministrative ? 0o440 : 0o444
    var found = stat()
    let kind = isSimulated ? S_IFREG : S_IFCHR
    var isThere = lstat(path, &found) == 0
    if isThere && (found.st_mode & S_IFMT != kind || (!isSimulated && found.st_rdev != device)) {
      unlink(path)
      isThere = false
    }
    if !isThere && mknod(path, kind | mode, isSimulated ? 0 : device) != 0 { throw .notMade(path, errno) }
    // Without a group, the one that was given before stays.
    // Of a simulated machine a user may make them, with a group of that user's.
    let own: UInt32 = geteuid() == 0 ? 0 : getegid()
    let owner = node.isAdministrative ? group ?? (isThere ? found.st_gid : own) : own
    if isThere && found.st_mode & 0o7777 == mode && found.st_gid == owner && found.st_uid == geteuid() { return false }
    if chown(path, geteuid(), owner) != 0 || chmod(path, mode) != 0 { throw .notMade(path, errno) }
    return true
  }

  /// The number that the kernel gave the driver's capabilities.
  private var major: UInt? {
    let text = (try? String(contentsOfFile: "\(root)/proc/devices", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").lazy.compactMap { line -> UInt? in
      let words = line.split(separator: " ")
      return words.count == 2 && words[1] == "nvidia-caps" ? UInt(words[0]) : nil
    }.first
  }
}
