# The operator knows better than the probes: mail is taken, and not tagged.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe service-rejected hard -> down
at 1s   mail other -> tempfail "451 4.3.2 relayhost is temporarily unavailable: service refuses to talk to us"
at 2s   force up saying it does not like probes -> forced-up
at 3s   mail other -> accept
at 3s   mail authenticated -> accept
at 3s   mail local -> accept
at 3s   header -> none
at 5s   probe service-rejected hard -> down
at 5s   look -> forced-up
# Not even silence of the prober changes it.
at 99s  look -> forced-up
