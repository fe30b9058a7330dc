// A peer of the C++ implementation: `peer serve ADDRESS REPORT` or `peer call ADDRESS REPORT`. It writes a JSON line into
// REPORT for each call, as it saw the call itself. `peer pack` packs its input.

#include "desk.capnp.h"
#include <capnp/compat/json.h>
#include <capnp/ez-rpc.h>
#include <capnp/message.h>
#include <capnp/serialize-packed.h>
#include <cstring>
#include <fstream>
#include <iostream>
#include <kj/io.h>

static std::ofstream report;
static capnp::JsonCodec json;

static void note(kj::StringPtr call, kj::StringPtr params, kj::StringPtr key, kj::StringPtr results) {
  report << "{\"call\":\"" << call.cStr() << "\",\"params\":" << params.cStr() << ",\"" << key.cStr()
         << "\":" << results.cStr() << "}" << std::endl;
}

static kj::String quoted(kj::StringPtr text) {
  return json.encode(capnp::Text::Reader(text));
}

class DrawerImpl final : public Drawer::Server {
 public:
  kj::Promise<void> put(PutContext context) override {
    items.add(kj::heap<capnp::MallocMessageBuilder>());
    items.back()->setRoot(context.getParams().getItem());
    auto list = context.getResults().initItems(items.size());
    for (size_t i = 0; i < items.size(); i++) list.setWithCaveats(i, items[i]->getRoot<Item>().asReader());
    note("Drawer.put", json.encode(context.getParams()), "results", json.encode(context.getResults().asReader()));
    return kj::READY_NOW;
  }

 private:
  kj::Vector<kj::Own<capnp::MallocMessageBuilder>> items;
};

class WatcherImpl final : public Watcher::Server {
 public:
  kj::Promise<void> seen(SeenContext context) override {
    context.getResults().setOk(true);
    note("Watcher.seen", json.encode(context.getParams()), "results", json.encode(context.getResults().asReader()));
    return kj::READY_NOW;
  }
};

class DeskImpl final : public Desk::Server {
 public:
  kj::Promise<void> describe(DescribeContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    results.setText(kj::str(params.getNote(), " and ", params.getTags().size(), " tags"));
    results.setSum(int64_t(params.getN()) - int64_t(params.getBlob().size()));
    results.setHalf(float(params.getRatio() / 2));
    results.setYes(true);
    note("Desk.describe", json.encode(params), "results", json.encode(results.asReader()));
    return kj::READY_NOW;
  }
  kj::Promise<void> open(OpenContext context) override {
    context.getResults().setDrawer(kj::heap<DrawerImpl>());
    note("Desk.open", json.encode(context.getParams()), "results", "{\"drawer\":\"capability\"}");
    return kj::READY_NOW;
  }
  kj::Promise<void> watch(WatchContext context) override {
    auto watcher = context.getParams().getWatcher();
    return tell(watcher, "rain").then([this, watcher]() mutable { return tell(watcher, "sun"); }).then([context]() mutable {
      context.getResults().setCount(2);
      note("Desk.watch", "{\"watcher\":\"capability\"}", "results", json.encode(context.getResults().asReader()));
    });
  }
  kj::Promise<void> fail(FailContext context) override {
    auto why = kj::str("refused: ", context.getParams().getWhy());
    note("Desk.fail", json.encode(context.getParams()), "error", quoted(why));
    return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(why));
  }

 private:
  kj::Promise<void> tell(Watcher::Client watcher, kj::StringPtr what) {
    auto request = watcher.seenRequest();
    request.setWhat(what);
    auto params = json.encode(request.asReader());
    return request.send().then([params = kj::mv(params)](auto&& answer) {
      note("Watcher.seen", params, "results", json.encode(answer));
    });
  }
};

static void fill(Item::Builder item, uint16_t id, kj::StringPtr name, Colour colour) {
  item.setId(id);
  item.setName(name);
  item.setColour(colour);
}

static void call(capnp::EzRpcClient& client) {
  auto& scope = client.getWaitScope();
  auto desk = client.getMain<Desk>();

  auto open = desk.openRequest();
  open.setName("upper");
  auto opened = open.send();
  auto put = opened.getDrawer().putRequest();
  fill(put.initItem(), 7, "pen", Colour::BLUE);
  put.getItem().setWeight(-3);
  auto putParams = json.encode(put.asReader());
  // Pipelined: the drawer is not there yet.
  auto putAnswer = put.send();
  auto openAnswer = opened.wait(scope);
  note("Desk.open", "{\"name\":\"upper\"}", "results", "{\"drawer\":\"capability\"}");
  note("Drawer.put", putParams, "results", json.encode(putAnswer.wait(scope)));

  auto describe = desk.describeRequest();
  describe.setN(-12);
  describe.setBig(18446744073709551615ull);
  describe.setNote("a \"quoted\" né");
  kj::byte blob[300];
  for (size_t i = 0; i < sizeof(blob); i++) blob[i] = kj::byte(i);
  describe.setBlob(kj::arrayPtr(blob, sizeof(blob)));
  auto tags = describe.initTags(2);
  tags.set(0, "x");
  tags.set(1, "y");
  describe.setRatio(0.1);
  auto params = json.encode(describe.asReader());
  note("Desk.describe", params, "results", json.encode(describe.send().wait(scope)));

  auto watch = desk.watchRequest();
  watch.setWatcher(kj::heap<WatcherImpl>());
  auto watched = watch.send().wait(scope);
  note("Desk.watch", "{\"watcher\":\"capability\"}", "results", json.encode(watched));

  auto fail = desk.failRequest();
  fail.setWhy("it is Sunday");
  auto failParams = json.encode(fail.asReader());
  fail.send().ignoreResult().then([]() {}, [&](kj::Exception&& e) {
    note("Desk.fail", failParams, "error", quoted(e.getDescription()));
  }).wait(scope);

  auto again = openAnswer.getDrawer().putRequest();
  fill(again.initItem(), 40000, "box", Colour::GREEN);
  auto parts = again.getItem().initParts(2);
  fill(parts[0], 1, "lid", Colour::RED);
  fill(parts[1], 2, "base", Colour::RED);
  auto againParams = json.encode(again.asReader());
  note("Drawer.put", againParams, "results", json.encode(again.send().wait(scope)));
}

static void pack() {
  kj::FdInputStream in(0);
  kj::FdOutputStream out(1);
  kj::BufferedOutputStreamWrapper buffered(out);
  capnp::_::PackedOutputStream packed(buffered);
  auto bytes = in.readAllBytes();
  packed.write(bytes.begin(), bytes.size());
  buffered.flush();
}

int main(int argc, char* argv[]) {
  if (argc == 2 && strcmp(argv[1], "pack") == 0) {
    pack();
    return 0;
  }
  if (argc != 4) return 2;
  report.open(argv[3]);
  json.setHasMode(capnp::HasMode::NON_NULL);
  if (strcmp(argv[1], "serve") == 0) {
    capnp::EzRpcServer server(kj::heap<DeskImpl>(), argv[2]);
    auto& scope = server.getWaitScope();
    // A socket in the file system has no port.
    bool isUnix = strncmp(argv[2], "unix:", 5) == 0;
    auto port = isUnix ? 0u : server.getPort().wait(scope);
    std::cout << "listening " << port << std::endl;
    kj::NEVER_DONE.wait(scope);
  }
  capnp::EzRpcClient client(argv[2]);
  call(client);
}
