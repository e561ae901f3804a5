/// One kind of MIG GPU instance that a product offers, with the places where it may stand.
///
/// Names and memory sizes differ between driver branches, driver profile ids do not: key by
/// ``GPUProduct/name`` and ``driverProfileID``, show ``name`` as a label.
public struct InstanceProfile: Hashable, Sendable {
  /// The label `nvidia-smi` prints, for example `3g.40gb`.
  public let name: String
  /// The id that `nvidia-smi mig -cgi` accepts. It differs from the NVML enum value.
  public let driverProfileID: Int
  /// Value of `NVML_GPU_INSTANCE_PROFILE_*` for this profile; nil where it is not known.
  public let nvmlProfile: Int?
  /// Compute slices (GPCs) of the instance.
  public let computeSlices: Int
  /// Length of a placement on the product's placement axis, in memory slices.
  public let placementSize: Int
  /// Starts at which an instance may stand on an empty GPU, ascending.
  public let starts: [Int]
  /// How many instances of this profile one GPU can hold.
  public let maxInstances: Int
  /// Framebuffer of the instance in MiB as last read or worked out; the driver is the
  /// authority at run time. Nil where it is not known.
  public let memoryMiB: Int?
  /// Streaming multiprocessors of the instance; nil where it is not known.
  public let smCount: Int?
  /// Names of the facts worked out rather than read on this very product.
  public let inferred: [String]

  public init(
    name: String, driverProfileID: Int, nvmlProfile: Int?, computeSlices: Int, placementSize: Int, starts: [Int],
    maxInstances: Int, memoryMiB: Int?, smCount: Int? = nil, inferred: [String] = []
  ) {
    self.name = name
    self.driverProfileID = driverProfileID
    self.nvmlProfile = nvmlProfile
    self.computeSlices = computeSlices
    self.placementSize = placementSize
    self.starts = starts
    self.maxInstances = maxInstances
    self.memoryMiB = memoryMiB
    self.smCount = smCount
    self.inferred = inferred
  }

  /// Whether this is a profile without an attribute (`+me`, `+gfx`, `+me.all`, `-me`).
  ///
  /// Only plain profiles are planned: variants carry media or graphics engines of which a GPU has few.
  public var isPlain: Bool { !name.contains("+") && !name.contains("-") }

  /// Bit mask of the axis units covered by an instance that starts at `start`.
  public func mask(at start: Int) -> UInt64 { ((1 << UInt64(placementSize)) - 1) << UInt64(start) }
}
