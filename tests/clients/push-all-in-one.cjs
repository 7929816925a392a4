// Sends what stands on the command line (token, title, content, options as JSON) and prints the service's answer.
const { PushPlus } = require("push-all-in-one")

const [token, title, content, options] = process.argv.slice(2)
new PushPlus({ PUSH_PLUS_TOKEN: token })
  .send(title, content, JSON.parse(options))
  .then((answer) => console.log(JSON.stringify({ status: answer.status, data: answer.data })))
