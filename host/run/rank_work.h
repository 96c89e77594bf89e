/* What a process that is not rank 0 does in a job of several: it is a member of rank 0's team
 * (session/rank.h) until there is nothing more to do. It reads the model's file and nothing else. */
#ifndef DUN_RANK_WORK_H
#define DUN_RANK_WORK_H

/* Answers rank 0's questions until it wants nothing more. What fails here is told there, and no failure of
 * this process. DUN_FAILED: rank 0 is gone, or an answer cannot be given. */
int dun_rank_work(void);

#endif
