// The real express-rate-limit, counting on its own side: node server.mjs DIALECT LIMIT WINDOW_MS
import express from "express";
import { rateLimit } from "express-rate-limit";

const [dialect, limit, windowMs] = process.argv.slice(2);
const windows = new Map(); // reset time -> [accepted, rejected]

function count(request, place) {
  const reset = request.rateLimit.resetTime.getTime();
  if (!windows.has(reset)) windows.set(reset, [0, 0]);
  windows.get(reset)[place] += 1;
}

const limiter = rateLimit({
  windowMs: Number(windowMs),
  limit: Number(limit),
  standardHeaders: dialect === "legacy" ? false : dialect,
  legacyHeaders: dialect === "legacy",
  handler: (request, response) => {
    count(request, 1);
    response.status(429).send("Too many requests");
  },
});

const filling = "x".repeat(1000);
const app = express();
app.get("/_truth", (request, response) => {
  response.json([...windows.keys()].sort((a, b) => a - b).map((reset) => windows.get(reset)));
});
app.get("/users/:id.json", limiter, (request, response) => {
  count(request, 0);
  response.json({ id: Number(request.params.id), filling });
});
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
