/// In which order the starts of a profile are tried by planner `parvagpu`.
///
/// The order is data, found by the profile's compute slices and legal starts: the published one for the 7-slice layout
/// (SC'24, section 4), ascending for every other. A start that the published order leaves out - 0 for three slices,
/// which would waste the seventh - is not used by that planner.
enum StartPreference {
  private struct Layout: Hashable {
    var computeSlices: Int
    var starts: [Int]
  }

  private static let published: [Layout: [Int]] = [
    Layout(computeSlices: 3, starts: [0, 4]): [4],
    Layout(computeSlices: 2, starts: [0, 2, 4]): [0, 4, 2],
    Layout(computeSlices: 1, starts: [0, 1, 2, 3, 4, 5, 6]): [0, 6, 4, 1, 2, 3, 5],
    // A slice with double memory is not in the paper; unit 7 serves no other small instance, so it goes there first.
    Layout(computeSlices: 1, starts: [0, 2, 4, 6]): [6, 4, 2, 0],
  ]

  static func starts(of profile: InstanceProfile) -> [Int] {
    published[Layout(computeSlices: profile.computeSlices, starts: profile.starts)] ?? profile.starts
  }
}
