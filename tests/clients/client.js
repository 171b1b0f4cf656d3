// A producer and a subscriber as a user of Node writes them. Arguments: URL of Redis, namespace, jobs to push.
const Redis = require("ioredis");

const [url, namespace, list] = process.argv.slice(2);
const jobs = JSON.parse(list);
const subscriber = new Redis(url);
const producer = new Redis(url);
let heard = 0;

subscriber.on("message", (_channel, text) => {
  const event = JSON.parse(text);
  console.log(JSON.stringify({ type: event.type, data: event.data }));
  heard += 1;
  if (heard === jobs.length) {
    subscriber.disconnect();
    producer.disconnect();
  }
});

(async () => {
  await subscriber.subscribe(`${namespace}:events`);
  for (const job of jobs) await producer.rpush(`${namespace}:inbox`, job);
})();

setTimeout(() => {
  console.error(`heard only ${heard} events`);
  process.exit(1);
}, 120000).unref();
