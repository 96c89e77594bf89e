/* */ typedef int dun_placeholder;
