#include "edge/ctl/live_query.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "base/text.hpp"
#include "vici/client.hpp"

namespace sluice::ctl {
namespace {

struct Talk {
  Talk(const Question& asked, const std::function<bool(const vici::Message&)>& visit)
      : question(asked), each(visit) {}

  const Question& question;
  const std::function<bool(const vici::Message&)>& each;
  boost::asio::io_context io;
  vici::Client client{io.get_executor(), question.uri};
  boost::asio::signal_set signals{io, SIGINT, SIGTERM};
  LiveAnswer answer;
  bool ended = false;  ///< by this side

  void end() {
    ended = true;
    client.close();
  }
};

vici::Client::Awaitable<void> converse(Talk& talk) {
  talk.answer.error = co_await talk.client.connect(talk.question.timeout);
  if (!talk.answer.error) {
    const auto each = [&talk](const vici::Message& row) {
      if (!talk.ended && !talk.each(row)) talk.end();
    };
    auto last = co_await talk.client.stream(talk.question.command, talk.question.event,
                                            talk.question.arguments, each, talk.question.timeout);
    if (last.ok()) {
      talk.answer.last = std::move(*last);
    } else if (!talk.ended) {
      talk.answer.error = last.error();
    }
  }
  talk.signals.cancel();
  talk.client.close();
}

}  // namespace

LiveAnswer ask_live(const Question& question, const std::function<bool(const vici::Message&)>& each) {
  Talk talk(question, each);
  talk.signals.async_wait([&talk](const boost::system::error_code& error, int) {
    if (error) return;
    talk.answer.interrupted = true;
    talk.end();
  });
  boost::asio::co_spawn(talk.io, converse(talk), boost::asio::detached);
  talk.io.run();
  auto& answer = talk.answer;
  if (answer.interrupted) answer.error.reset();
  if (answer.last.flag("success") == false) {
    answer.error =
        vici::Error{vici::ErrorKind::kRefused,
                    "the daemon refused: " + escaped(answer.last.get("errmsg", "no reason given"), 512)};
  }
  return std::move(answer);
}

}  // namespace sluice::ctl
