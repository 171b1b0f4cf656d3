"""A producer and a subscriber as a user of Python writes them. Arguments: URL of Redis, namespace, jobs to push."""

import json
import sys

import redis

url, namespace, jobs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = redis.Redis.from_url(url)
events = client.pubsub()
events.subscribe(f"{namespace}:events")
assert events.get_message(timeout=60)["type"] == "subscribe"
for job in jobs:
    client.rpush(f"{namespace}:inbox", job)
heard = 0
while heard < len(jobs):
    message = events.get_message(timeout=120)
    if message is None:
        sys.exit(f"heard only {heard} events")
    if message["type"] == "message":
        event = json.loads(message["data"])
        print(json.dumps({"type": event["type"], "data": event["data"]}), flush=True)
        heard += 1
