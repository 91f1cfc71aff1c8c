# Amavis is frozen: it accepts connections and says nothing.  That may be load, so it takes three in a row.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
at 0s   probe ok -> up
at 20s  probe greeting-timeout -> up
at 20s  mail other -> accept
at 31s  probe greeting-timeout -> up
at 42s  probe greeting-timeout -> down
at 42s  mail other -> tempfail "451 4.4.2 content filter is temporarily unavailable: no greeting in time"
at 47s  probe ok -> up
