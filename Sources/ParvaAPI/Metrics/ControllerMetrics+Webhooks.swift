import Foundation
import ParvaControl
import ParvaServing

/// Subscribers, and what is on its way to them.
extension ControllerMetrics {
  func writeWebhooks(to text: inout MetricsText) {
    let standings = controller.webhooks.standings()
    let totals = controller.webhooks.counters.totals
    text.family("parva_webhooks", "gauge", "Subscribers, by state.") { family in
      for state in WebhookRegistry.Standing.State.allCases {
        family.sample(["state": state.rawValue], Double(standings.count { $0.state == state }))
      }
    }
    text.family("parva_webhook_tries_total", "counter", "Tries to bring a message to a subscriber, by outcome.") {
      for (outcome, count) in totals.outcomes.sorted(by: { $0.key < $1.key }) {
        $0.sample(["outcome": outcome], Double(count))
      }
    }
    text.family("parva_webhook_try_duration_seconds", "histogram", "Time from the beginning of a try to its end.") {
      $0.histogram([:], totals.durations)
    }
    text.single("parva_webhook_dead_letters_total", "counter", "Messages that were given up.", totals.buried)
    text.single(
      "parva_webhook_gaps_total", "counter", "How often a subscriber was to be told that it has missed something.",
      totals.gaps)
    let now = controller.configuration.now()
    let enabled = standings.filter(\.isEnabled)
    text.family("parva_webhook_waiting_events", "gauge", "Events that a subscriber has yet to be told or to pass over.")
    {
      for standing in enabled { $0.sample(["webhook": standing.record.id], Double(standing.waiting)) }
    }
    text.family(
      "parva_webhook_oldest_waiting_seconds", "gauge",
      "Age of the event that a subscriber is told next; 0 where none waits."
    ) {
      // Who follows delivers nothing, and does not know.
      guard controller.follower == nil else { return }
      for standing in enabled {
        let age = standing.oldest.map { max(0, now.timeIntervalSince($0)) } ?? 0
        $0.sample(["webhook": standing.record.id], age)
      }
    }
  }
}
