import Synchronization

/// Tables to be asked for offers, several at a time: a run alone leaves much of a core unused.
struct CapacityWork: Sendable {
  /// One table, with the objectives it is asked for in steps of the grid.
  struct Job: Sendable {
    var admission: CertifiedAdmission
    var kind: Int
    var steps: [Int]
  }

  /// What is known of a table under one objective.
  struct Answer: Equatable {
    var offer: Offer
    /// Whether there is nothing better.
    var isBest = true
  }

  /// A job under way: its searches one after the other, since each tells the next ones something.
  private struct Course {
    let job: Int
    private let table: KindCapacity
    private let steps: [Int]
    private let mostProcesses: Int
    /// Whether anything that is kept will do.
    private let isBrief: Bool
    private var search: OfferSearch?
    private var trial: CapacityTrial?
    private(set) var answers: [Answer] = []

    init(_ number: Int, _ job: Job, _ table: KindCapacity, isBrief: Bool) {
      (self.job, self.table, steps, self.isBrief) = (number, table, job.steps, isBrief)
      mostProcesses = job.admission.mostProcesses
    }

    /// Goes on with how the last run ended until another one has to be played; nil at the end of the job.
    mutating func next(_ outcome: SojournRun.Outcome?, _ spare: inout [SojournTally]) -> SojournRun? {
      if outcome != nil { trial?.take(outcome) }
      while true {
        if var trial {
          let run = trial.next(&spare)
          self.trial = trial
          if let run { return run }
          table.note(trial)
          search?.answer(trial.keeps(trial.objective))
          self.trial = nil
        }
        guard let search else {
          guard answers.count < steps.count else { return nil }
          self.search = table.search(step: steps[answers.count], maxProcesses: mostProcesses)
          continue
        }
        if isBrief, search.question != nil, search.soFar.capacity > 0 {
          answers.append(Answer(offer: search.soFar, isBest: false))
          self.search = nil
        } else if let (point, load) = search.question {
          if let known = table.known(search.step, point, load: load) {
            self.search?.answer(known)
          } else {
            trial = CapacityTrial(table, point, load: load, objective: search.step)
          }
        } else {
          table.note(search)
          answers.append(Answer(offer: search.best))
          self.search = nil
        }
      }
    }
  }

  private static let width = 4

  var jobs: [Job]

  /// By job and objective, up to what is not known where time is over. Every core takes jobs from those left until there are none.
  ///
  /// - Parameter isBrief: whether anything that is kept will do; then all are answered.
  func answers(_ context: PlanningContext, isBrief: Bool = false) -> [[Answer]] {
    // Those with most to do first, so that the last ones are short.
    let order = jobs.indices.sorted { (jobs[$1].steps.count, $0) < (jobs[$0].steps.count, $1) }
    let taken = Atomic(0)
    let found = Mutex([[Answer]](repeating: [], count: jobs.count))
    context.forEach((jobs.count + Self.width - 1) / Self.width) { _ in
      var lanes: [(course: Course, run: SojournRun)] = []
      var spare: [SojournTally] = []
      var isLate = false
      /// Puts the next job that has something to be played on a lane.
      func begin() -> Bool {
        while true {
          let place = taken.wrappingAdd(1, ordering: .relaxed).oldValue
          guard place < order.count else { return false }
          let job = jobs[order[place]]
          guard let table = job.admission.table(job.kind) else {
            found.withLock { $0[order[place]] = job.steps.map { _ in Answer(offer: .none) } }
            continue
          }
          var course = Course(order[place], job, table, isBrief: isBrief)
          if let run = course.next(nil, &spare), !isLate {
            lanes.append((course, run))
            return true
          }
          end(course)
        }
      }
      func end(_ course: Course) { found.withLock { $0[course.job] = course.answers } }
      while true {
        if !isBrief, !isLate, context.shouldHurry() {
          isLate = true
          for lane in lanes { end(lane.course) }
          lanes = []
        }
        while lanes.count < Self.width, begin() {}
        guard !lanes.isEmpty else { return }
        Self.play(&lanes)
        for index in lanes.indices.reversed() {
          guard let outcome = lanes[index].run.outcome else { continue }
          var (course, run) = lanes.remove(at: index)
          run.end(&spare)
          if let next = course.next(outcome, &spare) {
            lanes.insert((course, next), at: index)
          } else {
            end(course)
          }
        }
      }
    }
    return found.withLock { $0 }
  }

  private static func play(_ lanes: inout [(course: Course, run: SojournRun)]) {
    lanes.withUnsafeMutableBufferPointer { lanes in
      switch lanes.count {
      case width: SojournRun.play(&lanes[0].run, &lanes[1].run, &lanes[2].run, &lanes[3].run)
      case 2...: SojournRun.play(&lanes[0].run, &lanes[1].run)
      default: lanes[0].run.play()
      }
    }
  }
}
