# Never, whatever is down.
hop remote smtp:[relay.example.net]:587 relayhost
option tag = "never"
at 0s  probe connection-refused hard -> down
at 1s  header -> none
at 1s  mail local -> tag
