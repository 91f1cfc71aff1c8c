# Our own trouble between a success and a failure: nobody has seen the relay fall.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s    probe ok -> up
at 10s   probe local-error -> unknown
at 20s   probe connection-timeout -> down
at 30s   probe ok -> up
at 40s   probe local-error -> unknown
at 50s   probe connection-timeout -> down
at 60s   probe ok -> up
at 70s   probe local-error -> unknown
at 80s   probe connection-timeout -> down
at 90s   probe ok -> up
