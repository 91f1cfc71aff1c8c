# Two successes and three failures, when nobody says anything else.
hop remote smtp:[relay.example.net]:587 relayhost
default probe.rise -> 2
default probe.fall -> 3
at 0s  probe ok -> up
at 1s  probe connection-timeout -> up
at 2s  probe connection-timeout -> up
at 3s  probe connection-timeout -> down
at 4s  probe ok -> down
at 5s  probe ok -> up
