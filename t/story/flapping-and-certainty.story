# What this host refuses is certain: a filter that is restarted all the time is down while it is down.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
fall 1
at 0s    probe ok -> up
at 1s    probe connection-refused hard -> down
at 2s    probe ok -> up
at 3s    probe connection-refused hard -> down
at 4s    probe ok -> up
at 5s    probe connection-refused hard -> down
at 6s    probe ok -> up
at 7s    probe connection-refused hard -> down
at 8s    probe ok -> up
# One that hangs by turns flaps; when it is stopped then, it is down at once nevertheless.
at 10s   probe greeting-timeout -> down
at 20s   probe ok -> up
at 30s   probe greeting-timeout -> down
at 40s   probe ok -> up
at 50s   probe greeting-timeout -> down
at 60s   probe ok -> degraded
at 61s   probe greeting-timeout -> degraded
at 62s   probe connection-refused hard -> down
at 63s   probe ok -> degraded
