/// Parameters of the built-in latency and memory model, one entry a model.
///
/// They were fitted to the published A100-80GB measurements (SC'24) with a mean absolute latency error of 5 to 12
/// percent per model. What is computed from them is modelled, never measured.
struct ModelParameters: Sendable {
  let model: String
  /// Fixed time of one batch in milliseconds.
  let launchMs: Double
  /// Time of one request of a batch in milliseconds while the instance is not saturated.
  let perSampleMs: Double
  /// Time of one request on one compute slice in milliseconds while the instance is saturated.
  let saturatedMs: Double
  /// How the saturated time falls with the number of compute slices.
  let saturatedExponent: Double
  /// Sharpness of the passage from one regime to the other.
  let blend: Double
  /// Share by which each further process stretches the fixed time.
  let contention: Double
  let memoryGiBPerProcess: Double
  let memoryGiBPerSample: Double

  static let all: [ModelParameters] = [
    ModelParameters(
      model: "bert", launchMs: 9.322, perSampleMs: 3.176, saturatedMs: 6.032,
      saturatedExponent: 1.013, blend: 1.348, contention: 3.088e-19,
      memoryGiBPerProcess: 1.9, memoryGiBPerSample: 0.00376),
    ModelParameters(
      model: "densenet121", launchMs: 11.76, perSampleMs: 0.05957, saturatedMs: 3.198,
      saturatedExponent: 1.01, blend: 3.937, contention: 0.0275,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.243),
    ModelParameters(
      model: "densenet169", launchMs: 16.22, perSampleMs: 0.1134, saturatedMs: 4.258,
      saturatedExponent: 1.107, blend: 2.994, contention: 0.03636,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.3),
    ModelParameters(
      model: "densenet201", launchMs: 19.8, perSampleMs: 0.03372, saturatedMs: 5.23,
      saturatedExponent: 1.041, blend: 3.243, contention: 0.03392,
      memoryGiBPerProcess: 1.15, memoryGiBPerSample: 0.3),
    ModelParameters(
      model: "inceptionv3", launchMs: 8.463, perSampleMs: 0.0001, saturatedMs: 1.854,
      saturatedExponent: 1.056, blend: 1.741, contention: 0.1063,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.1),
    ModelParameters(
      model: "mobilenetv2", launchMs: 4.977, perSampleMs: 0.00636, saturatedMs: 1.263,
      saturatedExponent: 0.9293, blend: 12.0, contention: 1.019e-22,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.147),
    ModelParameters(
      model: "resnet101", launchMs: 8.129, perSampleMs: 0.0001, saturatedMs: 4.388,
      saturatedExponent: 1.116, blend: 1.821, contention: 0.03816,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.243),
    ModelParameters(
      model: "resnet152", launchMs: 12.38, perSampleMs: 0.0001, saturatedMs: 6.351,
      saturatedExponent: 1.131, blend: 2.291, contention: 0.05251,
      memoryGiBPerProcess: 1.15, memoryGiBPerSample: 0.3),
    ModelParameters(
      model: "resnet50", launchMs: 4.484, perSampleMs: 0.0001, saturatedMs: 2.78,
      saturatedExponent: 1.077, blend: 1.926, contention: 0.02094,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.153),
    ModelParameters(
      model: "vgg16", launchMs: 1.236, perSampleMs: 0.04585, saturatedMs: 4.549,
      saturatedExponent: 1.152, blend: 1.01, contention: 0.5142,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.153),
    ModelParameters(
      model: "vgg19", launchMs: 1.462, perSampleMs: 0.06958, saturatedMs: 5.296,
      saturatedExponent: 1.162, blend: 1.01, contention: 0.5309,
      memoryGiBPerProcess: 0.6, memoryGiBPerSample: 0.166),
  ]
}
