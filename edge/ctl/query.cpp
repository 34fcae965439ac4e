#include "edge/ctl/query.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/text.hpp"
#include "vici/client.hpp"

namespace sluice::ctl {
namespace {

vici::Client::Awaitable<void> converse(vici::Client& client, const Question& question, Answer& answer) {
  answer.error = co_await client.connect(question.timeout);
  if (answer.error) co_return;
  const auto collect = [&answer](const vici::Message& row) { answer.rows.push_back(row); };
  // Two awaits in one conditional expression make g++ 12 destroy their temporaries twice.
  std::optional<Result<vici::Message, vici::Error>> last;
  if (question.event.empty()) {
    last = co_await client.request(question.command, question.arguments, question.timeout);
  } else {
    last = co_await client.stream(question.command, question.event, question.arguments, collect,
                                  question.timeout);
  }
  client.close();
  if (!*last) {
    answer.error = last->error();
    co_return;
  }
  answer.last = std::move(**last);
  if (answer.last.flag("success") == false) {
    answer.error =
        vici::Error{vici::ErrorKind::kRefused,
                    "the daemon refused: " + escaped(answer.last.get("errmsg", "no reason given"), 512)};
  }
}

}  // namespace

Answer ask(const Question& question) {
  Answer answer;
  boost::asio::io_context io;
  vici::Client client(io.get_executor(), question.uri);
  boost::asio::co_spawn(io, converse(client, question, answer), boost::asio::detached);
  io.run();
  return answer;
}

}  // namespace sluice::ctl
