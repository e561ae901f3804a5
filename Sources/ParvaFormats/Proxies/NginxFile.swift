/// What an nginx is told of endpoints: a file for `include` in its `http` block, to be written anew and reloaded.
package enum NginxFile {
  /// Longest id that the table of a map takes as nginx has it by default.
  static let usualLength = 40

  package static func text(_ workloads: [ProxiedWorkload], version: String) -> String {
    var text = """
      # Endpoints of version \(version). Include this in http { } and route by
      #   location / {
      #       if ($parva_upstream = "") { return 404; }
      #       proxy_pass http://$parva_upstream;
      #   }

      """
    if workloads.contains(where: { $0.id.utf8.count > usualLength }) { text += "map_hash_bucket_size 512;\n" }
    text += "map $http_x_parva_workload $parva_upstream {\n    default \"\";\n"
    for workload in workloads { text += "    \(workload.id) \(name(workload));\n" }
    text += "}\n"
    for workload in workloads {
      let servers = workload.servers.filter { $0.state == .ready }
      text += "\nupstream \(name(workload)) {\n"
      for server in servers {
        text += "    server \(server.hostPort) weight=\(server.weight) max_fails=2 fail_timeout=2s;\n"
      }
      // An upstream without any server is no configuration; one that is down answers 502.
      if servers.isEmpty { text += "    server 127.0.0.1:1 down;\n" }
      text += "}\n"
    }
    return text
  }

  /// A colon would begin a port.
  private static func name(_ workload: ProxiedWorkload) -> String { "parva_\(workload.id.replacing(":", with: "~"))" }
}
