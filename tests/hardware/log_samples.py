"""Small logs of every format: good ones, the jobs in them, and lines that are bad."""

from hardware.job_logs.log import LoggedJob

TWO = [LoggedJob("1", 0, 10, 4), LoggedJob("2", 5, 0, 8)]

GOOD = {
    "swf": "; a comment\n\n  1 7 -1 10 4 -1 -1 -1\n 2 12 0 0 -1 -1 -1 8\n",
    "alibaba": "name,cpu_milli,num_gpu,gpu_milli,creation_time,deletion_time,scheduled_time\n"
               "1,1,4,1000,7,17,7\n2,1,8,1000,12,19,19\n",
    "csv": "gpus,job,run_s,submit_s\n4,1,10,7\n8,2,0,12\n",
}  # fmt: skip
JOBS = {"swf": TWO, "alibaba": TWO, "csv": TWO}
BAD = {
    "swf": ["3 7 -1 10", "3 x -1 10 4 -1 -1 -1", "3 7 -1 -1 4 -1 -1 -1", "3 7 -1 10 0 -1 -1 3",
            "3 7 -1 10 -1 -1 -1 0", "3 7 -1 10 1.5 -1 -1 -1", "3 7 -1 10 4 -1 -1 -1 5", "x 7 -1 10 4 -1 -1 -1"],
    "alibaba": ["p3,1,1,1000,5,4,5", "p3,1,one,1000,0,1,0", "p3,1,-1,1000,0,1,0", "p3,1,1,1000,-1,1,0", "p3,1,1"],
    "csv": ["0,3,1,7", "1,3,1,-7", "1,3,nan,7", "1,3,inf,7", "1,3,,7", "1", "two,3,1,7", "1,3,1e999,7", "1,3,1e30,7"],
}  # fmt: skip
