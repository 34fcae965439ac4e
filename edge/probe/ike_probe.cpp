#include "edge/probe/ike_probe.hpp"

#include <algorithm>
#include <array>

#include "base/app/log.hpp"

namespace sluice::edge {
namespace {

namespace asio = boost::asio;
using app::LogField;
using asio::ip::udp;

udp::endpoint to_asio(const Endpoint& endpoint) {
  return {asio::ip::make_address(endpoint.address.to_string()), endpoint.port};
}

std::string describe(const SaInitAnswer& answer) {
  if (answer.outcome == SaInitOutcome::kAccepted) return "IKE_SA_INIT was accepted";
  // RFC 7296 §3.10.1: its listener may take other algorithms than the probe's; it answers all the same.
  return "IKE_SA_INIT was answered with notification " + std::to_string(answer.notify);
}

}  // namespace

struct IkeProbe::Line {
  Line(asio::io_context& io, const Endpoint& to) : target(to), socket(io) {}
  Endpoint target;
  Endpoint from;
  udp::socket socket;
  std::array<std::uint8_t, 2048> buffer{};
  SaInit init;
  std::string outcome;  ///< empty while it waits
};

IkeProbe::IkeProbe(asio::io_context& io, IkeProbeContext context) : io_(io), context_(std::move(context)) {}

IkeProbe::~IkeProbe() {
  stop();
}

void IkeProbe::stop() {
  context_.interval = {};
  running_ = false;
  done_.clear();
  boost::system::error_code ignored;
  for (const auto& line : lines_) line->socket.close(ignored);
  lines_.clear();
}

bool IkeProbe::is_ours(const Endpoint& from) const {
  return std::any_of(lines_.begin(), lines_.end(), [&](const auto& line) { return line->from == from; });
}

void IkeProbe::probe(Done done) {
  if (done) done_.push_back(std::move(done));
  if (!running_) begin();
}

void IkeProbe::begin() {
  running_ = true;
  started_ = context_.now();
  resend_at_ = started_ + context_.resend;
  if (lines_.empty()) {
    for (const auto& target : context_.targets) {
      auto line = std::make_shared<Line>(io_, target);
      // From the address that it asks: the answer takes no other way than the question.
      boost::system::error_code error;
      const auto local = to_asio({target.address, 0});
      line->socket.open(local.protocol(), error);
      if (!error) line->socket.bind(local, error);
      if (!error) line->socket.connect(to_asio(target), error);
      if (error) {
        stop();
        return finish(IkeHealth::kUnknown,
                      "no socket for a probe of " + target.to_string() + ": " + error.message());
      }
      line->from = {target.address, line->socket.local_endpoint().port()};
      lines_.push_back(line);
      receive(line);
    }
  }
  for (const auto& line : lines_) {
    line->init = random_sa_init(context_.random);
    line->outcome.clear();
    send(*line);
  }
}

void IkeProbe::send(Line& line) {
  boost::system::error_code ignored;  // a lost datagram is resent
  line.socket.send(asio::buffer(write_sa_init(line.init)), udp::socket::message_flags{}, ignored);
}

void IkeProbe::receive(const std::shared_ptr<Line>& line) {
  line->socket.async_receive(asio::buffer(line->buffer),
                             [this, line](const boost::system::error_code& error, std::size_t size) {
                               // Closed: then this object may be gone, too.
                               if (error == asio::error::operation_aborted || !line->socket.is_open()) return;
                               if (!error) take(*line, Bytes(line->buffer).first(size));
                               receive(line);
                             });
}

void IkeProbe::take(Line& line, Bytes datagram) {
  if (!running_ || !line.outcome.empty()) return;
  const auto answer = read_sa_init_answer(datagram, line.init.initiator_spi);
  if (!answer) return;
  if (answer->outcome == SaInitOutcome::kCookie) {
    line.init.cookie = answer->cookie;
    return send(line);
  }
  line.outcome = describe(*answer);
  const bool all =
      std::all_of(lines_.begin(), lines_.end(), [](const auto& l) { return !l->outcome.empty(); });
  if (all) finish(IkeHealth::kAnswers, line.outcome);
}

void IkeProbe::tick() {
  const auto now = context_.now();
  if (!running_ && context_.interval > Duration::zero() && now >= due_) probe();
  if (!running_) return;
  const auto silent =
      std::find_if(lines_.begin(), lines_.end(), [](const auto& l) { return l->outcome.empty(); });
  if (now - started_ >= context_.patience && silent != lines_.end()) {
    return finish(IkeHealth::kSilent,
                  "IKE_SA_INIT to " + (*silent)->target.to_string() + " was not answered");
  }
  if (now < resend_at_) return;
  resend_at_ = now + context_.resend;
  for (const auto& line : lines_) {
    if (line->outcome.empty()) send(*line);
  }
}

void IkeProbe::finish(IkeHealth health, std::string text) {
  running_ = false;
  due_ = context_.now() + context_.interval;
  const auto before = latest_.health;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(context_.now() - started_);
  latest_ = {health, std::move(text), took, context_.unix_seconds()};
  if (health != before) {
    if (health == IkeHealth::kAnswers) {
      app::log_info("probe.ike-answers", "IKE answers",
                    {LogField("ms", took.count()), LogField("text", latest_.text)});
    } else if (health == IkeHealth::kUnknown) {
      app::log_warning("probe.ike-impossible", "IKE cannot be probed", {LogField("cause", latest_.text)});
    } else {
      app::log_error("probe.ike-silent",
                     "IKE does not answer its own probe: clients cannot connect (Windows error 809)",
                     {LogField("cause", latest_.text)});
    }
    if (context_.changed) context_.changed(latest_);
  }
  const auto report = latest_;
  for (const auto& done : std::exchange(done_, {})) done(report);
}

}  // namespace sluice::edge
