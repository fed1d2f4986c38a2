/* Node majority: three voters, of which DATA = 2 (the third is a witness) or 3 hold data. Configurations
 * (term, members, learners, flushed writes) are agreed on by promise, accept and install.
 *
 * What is abstract. Messages: a proposer's question and its answer are one step, the answer may be lost; a proposal that
 * was sent can be accepted at any later time, even after its proposer died; what never arrives is a step that does not
 * happen. So every link may be cut at any time, in one direction as well. Time: a grant that has run out is a step that may
 * happen at any time; a frozen process takes no step. Data: a copy is the set of writes it holds, written through.
 *
 * -DDATA, -DTERMS, -DCRASHES, -DWRITES: limits. -DNO_...: leaves one rule out. */
#ifndef DATA
#define DATA 2
#endif
#ifndef TERMS
#define TERMS 4
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef WRITES
#define WRITES 1
#endif

#define VOTERS 3
#define ALL ((1 << DATA) - 1)
#define bit(v) (1 << (v))
#define most(set) ((set) == 3 || (set) >= 5)
#define within(small, large) (((small) & ~(large)) == 0)

/* Persisted by each voter. */
byte promised[VOTERS] = 1;
byte accepted[VOTERS] = 1;
byte copy[VOTERS];
/* Volatile. */
bool up[VOTERS] = true;
byte installed[VOTERS] = 1;  /* 0: sealed */
bool fresh[VOTERS] = true;   /* not restarted since it came into its configuration */
bool synced[VOTERS];         /* a learner whose resync is complete */
byte settled[VOTERS];        /* writes known to be valid; the others on the copy are pending */
byte held[VOTERS];           /* as holder of a lease: the voters whose grants still run */
byte granted[VOTERS];        /* the same grants as the voters count them: never over before the holder's */

/* Proposals that were sent. */
byte members[TERMS + 1];
byte learners[TERMS + 1];
byte flushed[TERMS + 1];
byte acceptors[TERMS + 1];

byte writer[WRITES];
byte writeTerm[WRITES];
byte gone;                   /* not in a configuration after their term: never to be seen again */
byte due;                    /* answered, or readable: in every later configuration */
byte crashes;
bool quiet;
byte leader;

bool one_serving_term = true;
bool no_stale_read = true;
bool committed_kept = true;
bool one_configuration_per_term = true;
bool accepted_never_decreases = true;
bool replicas_equal = true;
bool dropped_stays_dropped = true;

#define inSet(set, v) (((set) & bit(v)) != 0)
#ifdef NO_READ_LEASE
#define leased(v) true
#else
#define leased(v) most(held[v] | bit(v))
#endif
#define serves(v) (up[v] && installed[v] != 0 && inSet(members[installed[v]], v) && leased(v))
#define agree(v, w) (!serves(v) || !serves(w) || installed[v] == installed[w])
#define current(v) (!serves(v) || within(due, copy[v]))
#define pendingNow(v) (copy[v] & ~settled[v])
#define dropped(v) (!serves(v) || (copy[v] & settled[v] & gone) == 0)
#define equal(v, w) (!serves(v) || !serves(w) || (copy[v] & settled[v] & ~copy[w]) == 0)

#if DATA == 3
#define forAll(rule) (rule(0) && rule(1) && rule(2))
#define forPairs(rule) (rule(0, 1) && rule(1, 0) && rule(0, 2) && rule(2, 0) && rule(1, 2) && rule(2, 1))
#else
#define forAll(rule) (rule(0) && rule(1))
#define forPairs(rule) (rule(0, 1) && rule(1, 0))
#endif
inline judge() {
  one_serving_term = forPairs(agree);
  assert(one_serving_term);
  no_stale_read = forAll(current);
  assert(no_stale_read);
  replicas_equal = forPairs(equal);
  assert(replicas_equal);
  dropped_stays_dropped = forAll(dropped);
  assert(dropped_stays_dropped)
}

inline seal() { installed[i] = 0; held[i] = 0 }
inline forget() {
  t = 0; promises = 0; base = 0; freshOnes = 0; learnt = 0; syncedOnes = 0; pending[0] = 0; pending[1] = 0; pending[2] = 0
}

/* Fresh: not restarted. A learner counts if it has come into the newest configuration itself. */
#define isLearner(v) (accepted[v] == base && fresh[v] && inSet(learners[base], v))
inline tell(v) {
  freshOnes = freshOnes | (fresh[v] << v);
  learnt = learnt | (isLearner(v) << v);
  syncedOnes = syncedOnes | ((isLearner(v) && synced[v]) << v)
}

#ifdef LIVENESS
#define nextTerm (quiet -> (i == leader -> TERMS : 0) : (promised[i] < TERMS - 1 -> promised[i] + 1 : 0))
#else
#define nextTerm (promised[i] < TERMS -> promised[i] + 1 : 0)
#endif
/* A proposer's term is above all it has seen; it promises first. */
inline propose() {
  atomic { i < DATA && up[i] && t == 0 && promised[i] < nextTerm ->
    t = nextTerm; promised[i] = t; seal();
    promises = bit(i); base = accepted[i]; pending[i] = pendingNow(i);
    tell(i); judge() }
}

/* A voter promises: sealed from here on. Its answer tells what it accepted and what is pending on it, or is lost. */
inline promise(v) {
  atomic { t != 0 && up[i] && up[v] && promised[v] < t ->
    promised[v] = t; installed[v] = 0; held[v] = 0;
    if
    :: promises = promises | bit(v);
       if :: accepted[v] > base -> base = accepted[v]; learnt = 0; syncedOnes = 0 :: else fi;
       tell(v);
       pending[v] = pendingNow(v)
    :: !quiet
    fi; judge() }
}

#ifdef NO_LEASE_WAIT
#define leaseOver(v) true
#else
#define leaseOver(v) (inSet(promises, v) || (granted[v] & promises) == 0)
#endif
#define survivors ((freshOnes & members[base]) | syncedOnes)
#ifdef NO_LEARNER_PENDING
#define flushSources (freshOnes & members[base])
#else
#define flushSources ((freshOnes & members[base]) | (learnt & learners[base]))
#endif
#ifdef NO_FLUSH
#define flushOf(v) 0
#else
#define flushOf(v) (inSet(flushSources, v) -> pending[v] : 0)
#endif
#define restarted (members[base] & promises)

/* Who goes on, and with which writes. */
inline decide() {
  atomic { t != 0 && up[i] && inSet(promises, i) && most(promises) && (survivors | restarted) != 0 &&
    leaseOver(0) && leaseOver(1) && leaseOver(2) ->
    one_configuration_per_term = members[t] == 0;
    assert(one_configuration_per_term);
    if
    :: survivors != 0 -> members[t] = survivors; flushed[t] = flushOf(0) | flushOf(1) | flushOf(2)
#ifdef NO_FRESH_RULE
    :: true -> members[t] = promises & ALL; flushed[t] = flushOf(0) | flushOf(1) | flushOf(2)
#endif
    /* All were restarted: exactly one starts, with all that is on it. */
    :: survivors == 0 && inSet(restarted, 0) -> members[t] = 1; flushed[t] = pending[0]
    :: survivors == 0 && inSet(restarted, 1) -> members[t] = 2; flushed[t] = pending[1]
#if DATA == 3
    :: survivors == 0 && inSet(restarted, 2) -> members[t] = 4; flushed[t] = pending[2]
#endif
    fi;
    if
    :: learners[t] = promises & ALL & ~members[t]
    :: !quiet
    fi;
    forget() }
}

/* As voter: configuration and flushed writes become durable; the writes stay pending until all have them. */
inline accept(n) {
  atomic { up[i] && members[n] != 0 && !inSet(acceptors[n], i) && promised[i] <= n ->
    accepted_never_decreases = n >= accepted[i];
    assert(accepted_never_decreases);
    promised[i] = n; accepted[i] = n; acceptors[n] = acceptors[n] | bit(i); seal();
    if
    :: inSet(members[n], i) -> fresh[i] = true; synced[i] = false;
#ifdef NO_CARRIED_FLUSH
       skip
#else
       copy[i] = copy[i] | flushed[n];
#ifdef NO_PENDING_FLUSH
       settled[i] = copy[i]
#endif
#endif
    :: inSet(learners[n], i) -> fresh[i] = true; synced[i] = false; copy[i] = 0; settled[i] = 0
    :: else -> synced[i] = false
    fi; judge() }
}

#ifdef NO_SEAL
#define mayInstall(n) (promised[i] >= n)
#else
#define mayInstall(n) (promised[i] == n)
#endif
#ifdef NO_FULL_ACCEPT
#define complete(n) most(acceptors[n])
#else
#define complete(n) (most(acceptors[n]) && within(members[n] | learners[n], acceptors[n]))
#endif
/* A later configuration was chosen: this INSTALL comes too late to let anyone serve. */
#define chosen(m) (most(acceptors[m]))
#if TERMS == 3
#define overtaken(n) (n < 3 && chosen(3))
#elif TERMS == 4
#define overtaken(n) ((n < 3 && chosen(3)) || (n < 4 && chosen(4)))
#else
#define overtaken(n) ((n < 3 && chosen(3)) || (n < 4 && chosen(4)) || (n < 5 && chosen(5)))
#endif
#ifdef NO_RESTART_RULE
#define mayReturn true
#else
#define mayReturn fresh[i] /* a restarted node comes back by the next configuration only */
#endif
#define configured(v, n) (up[v] && accepted[v] == n && promised[v] == n)

/* Writes of the new configuration may arrive before INSTALL does: they stay pending. */
#ifdef NO_INSTALL_SCOPE
#define newOnes(n) 0
#elif WRITES > 1
#define newOnes(n) ((writeTerm[0] == n) | ((writeTerm[1] == n) << 1))
#else
#define newOnes(n) (writeTerm[0] == n)
#endif
inline drop(n) {
  if :: !overtaken(n) && writeTerm[0] != 0 && writeTerm[0] < n && !inSet(copy[i], 0) -> gone = gone | 1 :: else fi;
#if WRITES > 1
  if :: !overtaken(n) && writeTerm[1] != 0 && writeTerm[1] < n && !inSet(copy[i], 1) -> gone = gone | 2 :: else fi
#endif
}
inline install(n) {
  atomic { up[i] && accepted[i] == n && mayInstall(n) && installed[i] == 0 && mayReturn && inSet(members[n] | learners[n], i) && complete(n) ->
    installed[i] = n;
    if
    :: inSet(members[n], i) ->
       copy[i] = copy[i] | flushed[n]; settled[i] = copy[i] & ~newOnes(n);
       committed_kept = overtaken(n) || within(due, copy[i]);
       assert(committed_kept);
       due = due | (copy[i] & ~newOnes(n)); drop(n)
    :: else
    fi; judge() }
}

#define serving(v) (up[v] && installed[v] != 0 && inSet(members[installed[v]], v))
#ifdef NO_TERM_CHECK
#define takes(v, w) (up[v] && inSet(members[writeTerm[w]] | learners[writeTerm[w]], v))
#else
#define takes(v, w) (configured(v, writeTerm[w]) && inSet(members[writeTerm[w]] | learners[writeTerm[w]], v))
#endif
#define onCopy(v, w) (!inSet(members[writeTerm[w]] | learners[writeTerm[w]], v) || inSet(copy[v], w))
#ifdef NO_ACK_FROM_ALL
#define everywhere(w) true
#else
#define everywhere(w) (onCopy(0, w) && onCopy(1, w) && onCopy(2, w))
#endif

inline writes(w) {
  atomic { writeTerm[w] == 0 && serving(i) -> writer[w] = i; writeTerm[w] = installed[i]; copy[i] = copy[i] | bit(w); judge() }
}
inline apply(w) {
  atomic { writeTerm[w] != 0 && !inSet(copy[i], w) && takes(i, w) -> copy[i] = copy[i] | bit(w); judge() }
}
inline answer(w) {
  atomic { writeTerm[w] != 0 && writer[w] == i && serving(i) && installed[i] == writeTerm[w] && !inSet(due, w) && everywhere(w) ->
    due = due | bit(w); settled[i] = settled[i] | bit(w); judge() }
}
/* The coordinator tells that the write is valid. */
inline validate(w) {
  atomic { writeTerm[w] != 0 && inSet(due, w) && inSet(copy[i] & ~settled[i], w) && serving(i) && installed[i] == writeTerm[w] ->
    settled[i] = settled[i] | bit(w); judge() }
}

/* A learner is sent what a member holds; what is pending there is pending here. */
inline resync(s) {
  atomic { up[i] && installed[i] != 0 && inSet(learners[installed[i]], i) && !synced[i] &&
    up[s] && installed[s] == installed[i] && inSet(members[installed[i]], s) ->
    copy[i] = copy[i] | copy[s]; settled[i] = settled[s]; synced[i] = true }
}

#ifdef NO_TERM_IN_HEARTBEAT
#define renews(v, x) (up[v] && !inSet(held[x] & granted[x], v))
#else
#define renews(v, x) (configured(v, installed[x]) && !inSet(held[x] & granted[x], v))
#endif
/* Voter i answers the heartbeat of member x. */
inline grant(x) {
  atomic { i != x && serving(x) && renews(i, x) -> held[x] = held[x] | bit(i); granted[x] = granted[x] | bit(i); judge() }
}
inline expire(x) {
  atomic { i != x && inSet(granted[x], i) && (!quiet || !serving(x)) ->
    held[x] = held[x] & ~bit(i); granted[x] = granted[x] & ~bit(i) }
}

inline crash() {
  crashes++; up[i] = false; seal(); fresh[i] = false; synced[i] = false; settled[i] = 0; forget();
#ifdef NO_DURABLE_PROMISE
  promised[i] = accepted[i];
#endif
#ifdef NO_BOOT_LEASE
  granted[0] = granted[0] & ~bit(i); granted[1] = granted[1] & ~bit(i); granted[2] = granted[2] & ~bit(i);
#endif
  judge()
}

proctype node(byte i) {
  byte t; byte promises; byte base; byte freshOnes; byte learnt; byte syncedOnes; byte pending[VOTERS];
end:
  do
#ifdef LIVENESS
  :: atomic { quiet && t != 0 && t < TERMS -> forget() }
#endif
  :: propose()
  /* A data node is also a proposer. Overtaken, or tired of it: it starts over. */
  :: atomic { t != 0 && !quiet && promised[i] > t -> forget() }
  :: promise(0)
  :: promise(1)
  :: promise(2)
  :: decide()
  :: accept(2)
  :: accept(3)
#if TERMS > 3
  :: accept(4)
#endif
#if TERMS > 4
  :: accept(5)
#endif
  :: install(2)
  :: install(3)
#if TERMS > 3
  :: install(4)
#endif
#if TERMS > 4
  :: install(5)
#endif
  :: writes(0)
  :: apply(0)
  :: answer(0)
  :: validate(0)
#if WRITES > 1
  :: writes(1)
  :: apply(1)
  :: answer(1)
  :: validate(1)
#endif
  :: resync(0)
  :: resync(1)
#if DATA == 3
  :: resync(2)
#endif
  :: grant(0)
  :: grant(1)
  :: expire(0)
  :: expire(1)
#if DATA == 3
  :: grant(2)
  :: expire(2)
#endif
  :: atomic { up[i] && crashes < CRASHES && !quiet -> crash() }
  :: atomic { !up[i] && !quiet -> up[i] = true }
  od
}

#ifdef LIVENESS
/* The faults stop: one voter may stay dead, one member of each set that was proposed lives, and one node proposes
 * without a rival. */
#define reached(n) (members[n] == 0 || (members[n] & upSet) != 0)
#if TERMS == 3
#define feasible (reached(1) && reached(2))
#elif TERMS == 4
#define feasible (reached(1) && reached(2) && reached(3))
#else
#define feasible (reached(1) && reached(2) && reached(3) && reached(4))
#endif
#define upSet (up[0] + 2 * up[1] + 4 * up[2])
active proctype stop() {
  atomic { most(upSet) && feasible ->
    if :: up[0] -> leader = 0 :: up[1] -> leader = 1
#if DATA == 3
    :: up[2] -> leader = 2
#endif
    fi; quiet = true }
}
#define service (serves(0) || serves(1) || serves(2))
ltl comes_back { [] (quiet -> <> service) }
#endif

init { atomic { members[1] = ALL; acceptors[1] = 7; run node(0); run node(1); run node(2) } }
