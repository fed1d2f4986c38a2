/* The heartbeat strategy: two data nodes, no vote. Node 0 has the higher priority.
 *
 * What is abstract. Time: a lease that has run out is a step that may happen whenever no heartbeat renews it; a frozen
 * process is a node that takes no step. Messages: a step may look at the partner only while a link joins them, which is
 * a request and its answer; a lost one is a step that does not happen, one of an older epoch is refused anyway. What
 * arrives late and still counts (the learner's "persisted", the arbiter's answer) has a step of its own. Data: a copy is
 * the set of writes it holds, written through.
 *
 * -DPOLICY=0 continue, 1 suspend-low, 2 arbitrate. -DDETECT: split brain may happen, what follows it is judged.
 * -DFAULTS, -DWRITES: limits. -DNO_...: leaves one rule out. */
#ifndef POLICY
#define POLICY 2
#endif
#ifndef FAULTS
#define FAULTS 3
#endif
#ifndef WRITES
#define WRITES 2
#endif

/* Volatile state of a node. */
mtype = { SYNC, DECIDING, ALONE, SEALED, BLOCKED, LEARNER, WAITING, DOWN };
/* Persisted: who is in the set, as this node knows it. CONFLICT: out, and its history is kept until someone chooses. */
mtype = { BOTH, ME, OUT, CONFLICT };
#define NOBODY 2

mtype state[2] = SYNC;
mtype set[2] = BOTH;
bool wrote[2];           /* persisted: changed data in the epoch it is alone in */
byte copy[2];            /* persisted: the writes it holds, one bit each */
byte inFlight[2];        /* the write it coordinates and has not answered */
bool leased[2] = true;   /* node n may serve in SYNC; its partner granted it and waits for its end */
bool told[2];            /* as source: has heard that its learner persisted BOTH */
bool syncLink = true;
bool heartbeatLink = true;
bool arbiterUp = true;
byte claim = NOBODY;     /* what the arbiter keeps: the only node that may go on alone, or nobody in particular */

byte writes;             /* started so far */
byte due;                /* answered, or readable: never to be missed by anyone who serves */
byte saved;              /* kept aside for an administrator */
byte crashes;
byte cuts;

bool no_split_brain = true;
bool no_stale_service = true;
bool one_last_man = true;
bool replicas_equal = true;
bool nothing_discarded = true;

#define P (1 - i)
#define reachable (syncLink || heartbeatLink)
#define up(n) (state[n] != DOWN)
#ifdef NO_LEASE_CHECK
#define serves(n) (state[n] == SYNC || state[n] == ALONE)
#else
#define serves(n) ((state[n] == SYNC && leased[n]) || state[n] == ALONE)
#endif
#define silent(n) (!up(n) || !reachable || (state[n] == SYNC && !leased[n]))
#ifdef NO_LEASE_WAIT
#define leaseOver(n) true
#else
#define leaseOver(n) (!leased[n])
#endif
#if POLICY == 2 && !defined(NO_LATE_CLAIM)
#define mayReadmit (claim == i)
#else
#define mayReadmit true
#endif
#define joining(n) (state[n] == LEARNER && set[n] == BOTH)
#define holds(n, w) ((copy[n] & (w)) == (w))

inline judge() {
  nothing_discarded = (due & ~(copy[0] | copy[1] | saved)) == 0;
  assert(nothing_discarded);
#ifndef DETECT
  no_split_brain = !(serves(0) && serves(1) && (state[0] == ALONE || state[1] == ALONE));
  assert(no_split_brain);
  no_stale_service = (!serves(0) || holds(0, due)) && (!serves(1) || holds(1, due));
  assert(no_stale_service);
  replicas_equal = !(serves(0) && serves(1)) || ((copy[0] ^ copy[1]) & ~(inFlight[0] | inFlight[1])) == 0;
  assert(replicas_equal);
#if POLICY != 0
  one_last_man = !(set[0] == ME && set[1] == ME);
  assert(one_last_man)
#endif
#endif
}

/* What was pending on this copy is finished: it is answered, and readable from here on. */
inline goAlone() {
#ifndef NO_ROLLED_WROTE
  wrote[i] = wrote[i] || (copy[i] & ~due) != 0;
#endif
  due = due | copy[i]; inFlight[i] = 0; set[i] = ME; state[i] = ALONE; judge()
}
inline block() { set[i] = OUT; inFlight[i] = 0; told[i] = false; wrote[i] = false; leased[i] = false; state[i] = BLOCKED }
inline serveTogether() {
  due = due | copy[0] | copy[1];
  inFlight[0] = 0; inFlight[1] = 0; leased[0] = true; leased[1] = true;
  state[0] = SYNC; state[1] = SYNC; judge()
}

proctype node(byte i) {
end:
  do
  /* Writes: stamp and send, the partner applies, answer. */
  :: atomic { (state[i] == SYNC || state[i] == ALONE) && inFlight[i] == 0 && writes < WRITES ->
       inFlight[i] = 1 << writes; writes++; copy[i] = copy[i] | inFlight[i];
       if :: state[i] == ALONE -> wrote[i] = true :: else fi; judge() }
  :: atomic { inFlight[i] != 0 && syncLink && !holds(P, inFlight[i]) &&
       ((state[i] == SYNC && (state[P] == SYNC || joining(P))) || (state[i] == ALONE && state[P] == LEARNER)) ->
       copy[P] = copy[P] | inFlight[i]; judge() }
#ifdef NO_WAIT_FOR_ACK
  :: atomic { state[i] == SYNC && inFlight[i] != 0 -> due = due | inFlight[i]; inFlight[i] = 0; judge() }
#else
  :: atomic { state[i] == SYNC && inFlight[i] != 0 && holds(P, inFlight[i]) ->
       due = due | inFlight[i]; inFlight[i] = 0; judge() }
#endif
  :: atomic { state[i] == ALONE && inFlight[i] != 0 && (state[P] != LEARNER || holds(P, inFlight[i])) ->
       due = due | inFlight[i]; inFlight[i] = 0; judge() }

  /* Leases: renewed over any path by a partner in the same epoch; over when nothing renews them. */
  :: atomic { state[i] == SYNC && !leased[i] && reachable && (state[P] == SYNC || joining(P)) ->
       leased[i] = true; judge() }
  :: atomic { leased[i] && (!reachable || !(state[P] == SYNC || joining(P))) -> leased[i] = false }

  /* The sync link or the partner is gone: stop serving, decide. */
  :: atomic { state[i] == SYNC && (!syncLink || !(state[P] == SYNC || joining(P))) -> state[i] = DECIDING }
  :: atomic { state[i] == SYNC && !leased[i] && cuts < FAULTS -> state[i] = DECIDING }
  /* It was nothing: what is pending on either is finished on both. */
  :: atomic { state[i] == DECIDING && state[P] == DECIDING && syncLink && set[0] == BOTH && set[1] == BOTH ->
#ifndef NO_FLUSH
       copy[0] = copy[0] | copy[1]; copy[1] = copy[0];
#endif
       serveTogether() }

  /* A heartbeat path lives: the lower priority persists OUT and blocks, only then the higher goes on. */
  :: atomic { i == 1 && state[1] == DECIDING && set[1] == BOTH && set[0] == BOTH && heartbeatLink && !syncLink &&
       (state[0] == DECIDING || state[0] == WAITING) ->
       block();
#ifdef NO_DURABLE_BLOCK
       set[1] = BOTH
#endif
       }
#ifdef NO_BLOCK_FIRST
  :: atomic { i == 0 && state[0] == DECIDING && set[0] == BOTH && heartbeatLink && up(1) -> goAlone() }
#endif
#ifdef NO_DURABLE_BLOCK
  :: atomic { i == 0 && state[0] == DECIDING && heartbeatLink && state[1] == BLOCKED -> goAlone() }
  :: atomic { i == 1 && state[1] == BLOCKED && set[1] == BOTH && reachable && set[0] == ME -> set[1] = OUT }
#endif
  :: atomic { (state[i] == DECIDING || state[i] == WAITING) && set[i] == BOTH && reachable && up(P) && set[P] == OUT ->
       goAlone() }
  :: atomic { (state[i] == DECIDING || state[i] == WAITING) && set[i] == BOTH && reachable && up(P) && set[P] == ME ->
       block() }

  /* No path answers, and the partner's lease is over. */
#if POLICY == 0
  :: atomic { state[i] == DECIDING && silent(P) && leaseOver(P) -> goAlone() }
#elif POLICY == 1
  :: atomic { i == 0 && state[i] == DECIDING && silent(P) && leaseOver(P) -> goAlone() }
#else
  /* The claim and the arbiter's answer are two steps: a slow arbiter lets anything happen between them. */
  :: atomic { (state[i] == DECIDING || state[i] == WAITING) && set[i] == BOTH && silent(P) && arbiterUp &&
       claim == NOBODY -> claim = i }
#ifdef NO_CLAIM_CHECK
  :: atomic { (state[i] == DECIDING || state[i] == WAITING) && set[i] == BOTH && silent(P) && arbiterUp &&
       claim == P -> claim = i }
#endif
  :: atomic { state[i] == DECIDING && silent(P) && leaseOver(P) && arbiterUp && claim == i -> goAlone() }
#ifdef NO_BOOT_LEASE
  :: atomic { state[i] == WAITING && set[i] == BOTH && silent(P) && arbiterUp && claim == i -> goAlone() }
#else
  :: atomic { state[i] == WAITING && set[i] == BOTH && silent(P) && leaseOver(P) && arbiterUp && claim == i -> goAlone() }
#endif
  :: atomic { (state[i] == DECIDING || state[i] == WAITING) && set[i] == BOTH && silent(P) && arbiterUp &&
       claim == P -> block() }
  /* Went on by a BLOCK while the arbiter was away: claim late. Blocked while holding a claim: hand it over. */
  :: atomic { state[i] == ALONE && arbiterUp && claim == NOBODY -> claim = i }
  :: atomic { state[i] == BLOCKED && set[i] == OUT && arbiterUp && claim == i -> claim = P }
  /* Together again: either may go on next time. */
  :: atomic { state[i] == SYNC && set[i] == BOTH && arbiterUp && claim == i -> claim = NOBODY }
#endif

  /* Start. */
  :: atomic { state[i] == WAITING && set[i] == ME -> goAlone() }
  :: atomic { state[i] == WAITING && set[i] == BOTH && syncLink && set[P] == BOTH &&
       (state[P] == WAITING || state[P] == DECIDING) ->
       if :: copy[P] = copy[i] :: copy[i] = copy[P] fi; serveTogether() }
  :: atomic { state[i] == WAITING && (set[i] == OUT || set[i] == CONFLICT) -> state[i] = BLOCKED }
#ifdef NO_WAITING_AT_START
  :: atomic { state[i] == WAITING && set[i] == BOTH && silent(P) -> goAlone() }
#endif

  /* Coming back: learn, then the source holds I/O, both persist BOTH (the learner first), then both serve. */
  :: atomic { state[i] == BLOCKED && set[i] == OUT && syncLink && state[P] == ALONE -> state[i] = LEARNER }
  :: atomic { state[i] == LEARNER && set[i] == OUT && syncLink && state[P] == ALONE && copy[i] != copy[P] ->
       copy[i] = copy[P]; judge() }
  :: atomic { state[i] == LEARNER && (!syncLink || !(state[P] == ALONE || state[P] == SEALED || state[P] == SYNC)) ->
#ifdef NO_LEARNER_OUT
       if :: set[i] == BOTH -> state[i] = DECIDING :: else -> block() fi
#else
       block()
#endif
       }
#ifdef NO_SEAL
#define SOURCE ALONE
#else
#define SOURCE SEALED
  :: atomic { state[i] == ALONE && inFlight[i] == 0 && syncLink && state[P] == LEARNER && copy[P] == copy[i] && mayReadmit ->
       state[i] = SEALED; told[i] = false }
  :: atomic { state[i] == SEALED && set[i] == ME && !told[i] && (state[P] != LEARNER || !syncLink) -> state[i] = ALONE; judge() }
#endif
  :: atomic { state[i] == LEARNER && syncLink && state[P] == SOURCE && copy[i] == copy[P] && set[i] == OUT ->
       set[i] = BOTH; wrote[i] = false }
  :: atomic { state[i] == SOURCE && set[i] == ME && syncLink && joining(P) && !told[i] -> told[i] = true }
  :: atomic { state[i] == SOURCE && told[i] -> told[i] = false; set[i] = BOTH; wrote[i] = false;
       leased[i] = false; state[i] = SYNC; judge() }
  :: atomic { joining(i) && syncLink && state[P] == SYNC && set[P] == BOTH -> leased[i] = false; state[i] = SYNC; judge() }

#if POLICY == 0
  /* Two histories meet. Who changed nothing follows; if both did, the lower priority blocks and nothing is lost. */
  :: atomic { i == 1 && reachable && up(0) && (state[1] == ALONE || state[1] == WAITING) && set[1] == ME && set[0] == ME ->
#ifdef NO_CONFLICT
       block()
#else
       if
       :: wrote[0] && wrote[1] -> inFlight[1] = 0; set[1] = CONFLICT; state[1] = BLOCKED
       :: !wrote[1] -> block()
       :: else -> set[0] = OUT; inFlight[0] = 0; state[0] = BLOCKED
       fi
#endif
       ; judge() }
  /* An administrator chooses; the loser's changes are kept aside first. */
  :: atomic { i == 1 && set[1] == CONFLICT && state[1] == BLOCKED && reachable && state[0] == ALONE ->
       if
       :: saved = saved | (copy[1] & ~copy[0]); block()
       :: saved = saved | (copy[0] & ~copy[1]); inFlight[0] = 0; set[0] = OUT; wrote[0] = false; state[0] = BLOCKED; goAlone()
       fi; judge() }
#endif

  :: atomic { up(i) && crashes < FAULTS -> crashes++; state[i] = DOWN; inFlight[i] = 0; told[i] = false; leased[i] = false }
  :: atomic { state[i] == DOWN -> state[i] = WAITING }
  od
}

active proctype faults() {
end:
  do
  :: atomic { syncLink && cuts < FAULTS -> cuts++; syncLink = false }
  :: atomic { !syncLink -> syncLink = true }
  :: atomic { heartbeatLink && cuts < FAULTS -> cuts++; heartbeatLink = false }
  :: atomic { !heartbeatLink -> heartbeatLink = true }
  /* A process that answers no heartbeat for a lease. */
  :: atomic { leased[0] && cuts < FAULTS -> cuts++; leased[0] = false }
  :: atomic { leased[1] && cuts < FAULTS -> cuts++; leased[1] = false }
#if POLICY == 2
  :: atomic { arbiterUp -> arbiterUp = false }
  :: atomic { !arbiterUp -> arbiterUp = true;
#ifdef NO_PERSISTENT_CLAIM
       claim = NOBODY
#endif
       }
#endif
  od
}

init { atomic { run node(0); run node(1) } }

#ifdef LIVENESS
#define healthy (up(0) && up(1) && syncLink && heartbeatLink && arbiterUp)
#define together (serves(0) && serves(1) && state[0] == SYNC && state[1] == SYNC)
ltl comes_back { (<>[] healthy) -> (<>[] (together || set[1] == CONFLICT)) }
#endif
#ifdef SURVIVOR
/* The partner stays dead. Who is in the set, and not forestalled at the arbiter, goes on without it. */
#define mayGoOn(n) (up(n) && !up(1 - (n)) && arbiterUp && (set[n] == BOTH || set[n] == ME) && claim != 1 - (n))
ltl goes_on { ((<>[] mayGoOn(0)) -> (<>[] serves(0))) && ((<>[] mayGoOn(1)) -> (<>[] serves(1))) }
#endif
