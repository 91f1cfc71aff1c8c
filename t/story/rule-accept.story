# "accept": neither refused nor tagged.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "quiet" { action = "accept" }
at 0s  probe connection-refused hard -> down
at 1s  mail other -> accept
at 1s  mail authenticated -> accept
at 1s  mail local -> accept
