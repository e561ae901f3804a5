import CSpawn
import Foundation
import Glibc
import ParvaWire

/// What the machine around the GPUs has to have.
extension Doctor {
  var unifiedMemory: Finding? {
    // A simulated machine has no modules.
    guard !question.isSimulated, let devices = text("/proc/devices"), devices.contains("nvidia") else { return nil }
    let isLoaded = devices.split(separator: "\n").contains { $0.hasSuffix(" nvidia-uvm") }
    let hasNode = access(root + "/dev/nvidia-uvm", F_OK) == 0
    if isLoaded && hasNode { return Finding("uvm", .ok, "nvidia-uvm is loaded and has its node") }
    return Finding(
      "uvm", .warn,
      isLoaded
        ? "nvidia-uvm is loaded and /dev/nvidia-uvm is not there: CUDA programs without root fail"
        : "nvidia-uvm is not loaded: CUDA programs in the agent's sandbox cannot load it",
      mend: "nvidia-modprobe -u -c 0 (as root, before the agent starts)")
  }

  var mps: Finding? {
    let plan = MPSPlan(
      program: question.mpsControl, runDirectory: URL(fileURLWithPath: question.runDirectory),
      logDirectory: URL(fileURLWithPath: question.stateDirectory))
    if plan.pipeDirectory("MIG-00000000-0000-0000-0000-000000000000").utf8.count > MPSPlan.pathLimit {
      return Finding(
        "mps", .warn, "\(question.runDirectory) is too long for the sockets of MPS daemons",
        mend: "name a shorter --run-dir")
    }
    guard let control = plan.found(path: question.path) else {
      if question.isSimulated {
        return Finding("mps", .ok, "\(question.mpsControl) is not here, and a simulated machine goes without")
      }
      return Finding(
        "mps", .warn, "\(question.mpsControl) is not here: servers that share an instance are held back",
        mend: "install it with the driver (Debian, Ubuntu: nvidia-compute-utils-BRANCH), or name it with --mps-control")
    }
    let server = (control as NSString).deletingLastPathComponent + "/nvidia-cuda-mps-server"
    if access(server, X_OK) != 0 {
      return Finding(
        "mps", .warn, "\(control) is here and \(server) is not: no client of it will be served",
        mend: "install both from the same release as the driver")
    }
    return Finding("mps", .ok, "\(control) and its server are here")
  }

  var controlGroups: Finding? {
    let mounts = text("/proc/self/mounts") ?? ""
    let mount = mounts.split(separator: "\n").map { $0.split(separator: " ") }.first {
      $0.count > 2 && $0[2] == "cgroup2"
    }
    guard let mount, let own = text("/proc/self/cgroup")?.split(separator: "\n").first(where: { $0.hasPrefix("0::") })
    else {
      return Finding(
        "cgroup", .warn, "there is no control group hierarchy of version 2: limits of servers do not hold",
        mend: "boot with systemd.unified_cgroup_hierarchy=1")
    }
    let group = "\(mount[1])\(own.dropFirst(3))"
    if access(root + group, W_OK) != 0 {
      return Finding(
        "cgroup", .warn, "\(group) is not delegated to user \(question.user): limits of servers do not hold",
        mend: "run the agent as packaging/parva-node.service does (Delegate=memory cpu)")
    }
    let offered = Set((text("\(group)/cgroup.controllers") ?? "").split { $0.isWhitespace }.map(String.init))
    let missing = ["cpu", "memory"].filter { !offered.contains($0) }
    if !missing.isEmpty {
      return Finding(
        "cgroup", .warn,
        "\(group) has no controller for \(missing.joined(separator: " and ")): limits of servers on it do not hold",
        mend:
          "run the agent as packaging/parva-node.service does (Delegate=memory cpu), below groups that enable both in "
          + "cgroup.subtree_control")
    }
    return Finding(
      "cgroup", .ok, "\(group) is this user's: limits of servers hold where the agent runs in such a group")
  }

  var isContained: Bool {
    ["/.dockerenv", "/run/.containerenv"].contains { access(root + $0, F_OK) == 0 }
      || question.environment["container"] != nil || question.environment["KUBERNETES_SERVICE_HOST"] != nil
  }

  var container: Finding? {
    if !isContained { return Finding("container", .ok, "this is no container that says so") }
    let told = question.environment["NVIDIA_MIG_CONFIG_DEVICES"] != nil
    return Finding(
      "container", .warn,
      "this is a container: capability nodes of instances that are made later are not seen in it"
        + (told ? "" : ", and NVIDIA_MIG_CONFIG_DEVICES is not set"),
      mend: "run the agent on the host, or privileged with the host's /dev, NVIDIA_MIG_CONFIG_DEVICES=all and "
        + "NVIDIA_MIG_MONITOR_DEVICES=all")
  }

  /// The kernel's own word on whether something keeps the clock.
  var clock: Finding? {
    switch csp_clock_is_kept() {
    case 1: Finding("clock", .ok, "the clock is synchronised")
    case 0:
      Finding(
        "clock", .warn, "nothing keeps the clock: messages that are signed five minutes off are refused",
        mend: "timedatectl set-ntp true")
    default: nil
    }
  }

  /// Both folders, without making either.
  var directories: [Finding] {
    [("state_dir", question.stateDirectory, "--state-dir"), ("run_dir", question.runDirectory, "--run-dir")].map {
      check, path, option in
      var folder = path
      var found = stat()
      while stat(folder, &found) != 0 && folder.count > 1 { folder = (folder as NSString).deletingLastPathComponent }
      if found.st_mode & S_IFMT != S_IFDIR {
        return Finding(
          check, .stop, "\(folder) is no folder" + (folder == path ? "" : ", and \(path) is to be in it"),
          mend: "name another with \(option), or remove that file")
      }
      if access(folder, W_OK | X_OK) != 0 && errno != EROFS {
        return Finding(
          check, .stop, "user \(question.user) cannot write \(folder), where \(path) is to be",
          mend: "name another with \(option), or chown it")
      }
      // A record that cannot be kept stops an apply; sockets take names and no room.
      let room = check == "state_dir" ? Self.roomForRecords : 0
      guard let code = question.unwritable(folder, room) else { return Finding(check, .ok, "\(path) can be written") }
      return Finding(
        check, .stop,
        "nothing can be written in \(folder), where \(path) is to be: \(String(cString: strerror(code)))",
        mend: code == EROFS
          ? "mount it for writing (dmesg says why it is not), or name another with \(option)"
          : "df -h \(folder); df -i \(folder): make room there, or name another with \(option)")
    }
  }

  /// Bytes that the records of some applies take.
  private static let roomForRecords = 1 << 20

  /// Why a file of so many bytes cannot be kept in a folder; nil where it can. The file has no name, so that nothing of it
  /// is left behind, whatever happens.
  package static func unwritable(_ folder: String, _ bytes: Int) -> Int32? {
    let descriptor = csp_nameless_file(folder)
    if descriptor >= 0 {
      defer { close(descriptor) }
      var left = bytes
      let zeros = [UInt8](repeating: 0, count: 1 << 16)
      while left > 0 {
        let written = write(descriptor, zeros, min(left, zeros.count))
        if written < 0 && errno == EINTR { continue }
        if written <= 0 { return errno }
        left -= written
      }
      return fsync(descriptor) == 0 ? nil : errno
    }
    if errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL { return errno }
    // A file system without such files says itself what it has left.
    var system = statvfs()
    guard statvfs(folder, &system) == 0 else { return errno }
    if system.f_flag & UInt(ST_RDONLY) != 0 { return EROFS }
    let free = Int(clamping: system.f_bavail) * Int(clamping: system.f_frsize)
    return free < bytes || (system.f_files > 0 && system.f_favail == 0) ? ENOSPC : nil
  }

  /// Whether the node knows what it did: without its records an agent does not start, and no plan is applied.
  var records: Finding {
    for name in ["journal.jsonl", "lock"] {
      let path = "\(question.stateDirectory)/\(name)"
      var found = stat()
      guard lstat(path, &found) == 0 else { continue }
      if found.st_mode & S_IFMT != S_IFREG {
        return Finding(
          "records", .stop, "\(path) is \(AtomicFile.kind(path) ?? "a folder"), and no file of the node's",
          mend: "ls -l \(path), then mv \(path) \(path).bad")
      }
      if access(path, R_OK | W_OK) != 0 {
        return Finding(
          "records", .stop, "user \(question.user) cannot write \(path)",
          mend: "chown \(path) to the agent's user, and chmod u+rw")
      }
    }
    let store = NodeStore(reading: URL(fileURLWithPath: question.stateDirectory))
    do throws(ApplyJournal.Failure) {
      let known = try store.known()
      let services = URL(fileURLWithPath: question.stateDirectory).appendingPathComponent("services")
      _ = try ServiceStore(reading: services, bootID: store.bootID).records()
      if let left = known.unfinished {
        return Finding(
          "records", .warn, "revision \(left.begin.wanted.revision) has not come to its end",
          mend: "start the agent, which brings it there; nothing is to be done while one is at it")
      }
      if let degraded = known.verified?.degraded {
        return Finding(
          "records", .warn, "the GPUs are not as a plan wants them: \(degraded)",
          mend: "parva node state shows what stands; apply the plan again once its cause is mended")
      }
      return Finding(
        "records", .ok,
        known.verified.map { "revision \($0.wanted.revision) is on record as verified" }
          ?? "no plan was applied here yet")
    } catch {
      // A folder that is none is told of by itself.
      if case .unreadable(_, ENOTDIR) = error { return Finding("records", .ok, "no plan was applied here yet") }
      return Finding("records", .stop, "\(error.code): \(error)", mend: Self.mend(error))
    }
  }

  private static func mend(_ failure: ApplyJournal.Failure) -> String {
    switch failure {
    case .unwritable(let path, _), .unreadable(let path, _): "chown \(path) to the agent's user"
    case .odd(let path, _): "ls -l \(path), then mv \(path) \(path).bad"
    case .corrupt(let path, _): "parva node state, then mv \(path) \(path).bad"
    case .damagedService(let path): "ps e | grep PARVA_SERVICE, end what no other record names, then rm \(path)"
    case .damaged(let path): "mv \(path) \(path).bad, then parva node apply --adopt"
    }
  }

  /// Root with all its powers opens and writes what an agent cannot that has few or none.
  var powers: Finding? {
    let extra = Self.powers.filter { question.capabilities >> $0.bit & 1 == 1 }.map(\.name)
    guard question.user == 0, !question.isSimulated, !extra.isEmpty else { return nil }
    return Finding(
      "user", .warn,
      "this is root with \(extra.joined(separator: ", ")), which packaging/parva-node.service takes from the agent: what "
        + "opens here may not open there",
      mend: "sudo -u parva parva node doctor, as the agent's user")
  }

  /// What no unit in packaging gives to an agent (capabilities(7)).
  private static let powers: [(name: String, bit: UInt64)] = [
    ("CAP_DAC_READ_SEARCH", 2), ("CAP_FOWNER", 3), ("CAP_SYS_MODULE", 16), ("CAP_SYS_RAWIO", 17),
    ("CAP_SYS_PTRACE", 19), ("CAP_MKNOD", 27),
  ]
}
