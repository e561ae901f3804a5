import Dispatch
import ParvaWire
import Testing

@testable import ParvaNode

@Suite struct StateReaderTests {
  /// A driver that answers when it is let.
  private struct SlowDriver: GPUDriver {
    let gate = DispatchSemaphore(value: 0)
    let driver = MemoryDriver([ObservedGPU(index: 0, uuid: "GPU-0", board: "memory")])

    func observe() throws(DriverError) -> ObservedNode {
      gate.wait()
      return try driver.observe()
    }
    func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU { try driver.observe(gpu: uuid) }
    func createInstance(gpu: String, profileID: Int, start: Int) throws(DriverError) -> Int { 0 }
    func createCompute(gpu: String, instance: Int) throws(DriverError) {}
    func destroyCompute(gpu: String, instance: Int, compute: Int) throws(DriverError) {}
    func destroyInstance(gpu: String, instance: Int) throws(DriverError) {}
    func setMIGMode(gpu: String, enabled: Bool) throws(DriverError) -> MIGModeChange {
      MIGModeChange(mode: ObservedMIGMode(current: enabled, pending: enabled), activation: "success")
    }
    func reset(gpu: String) throws(DriverError) {}
  }

  @Test func aDriverThatHangsIsReportedAtTheDeadlineAndAskedOnce() async throws {
    let (driver, clock) = (SlowDriver(), ManualClock())
    let reader = StateReader(driver: driver, clock: clock)
    let first = Task { try await reader.observe(within: .seconds(10)) }
    await clock.untilAwaited(.seconds(10))
    clock.advance(to: .seconds(10))
    let error = await #expect(throws: DriverError.self) { try await first.value }
    #expect(error?.code == "timeout")
    #expect(reader.unanswered == .seconds(10))
    // A later asker shares the reading that is still under way.
    let second = Task { try await reader.observe(within: .seconds(60)) }
    await clock.untilAwaited(.seconds(70))
    driver.gate.signal()
    #expect(try await second.value.gpus.count == 1)
    #expect(reader.unanswered == nil)
  }
}
